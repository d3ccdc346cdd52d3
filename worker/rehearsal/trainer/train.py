"""Stands in for the trainer's train.py in a rehearsal: same arguments, files, words and folders; nothing is trained."""

from __future__ import annotations

import sys

from worker.rehearsal.standin import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
