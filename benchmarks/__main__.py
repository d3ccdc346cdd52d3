"""`make bench`: every figure, with what dominates it."""

from __future__ import annotations

import platform
import sys

from benchmarks import captions, catalogue, cold, looking, moving, overlap, warm


def main() -> None:
    """Prints all figures. `--quick` takes fewer runs, to see that the benchmarks work."""
    quick = "--quick" in sys.argv[1:]
    print(f"Python {platform.python_version()} on {platform.machine()}, {platform.system()}")
    cold.main(runs=3 if quick else 25)
    warm.main(seconds=0.3 if quick else 5.0)
    catalogue.main(runs=3 if quick else 15)
    looking.main(runs=1 if quick else 5, files=200 if quick else 5_000, many=200 if quick else 100_000)
    moving.main(runs=1 if quick else 5, megabytes=2 if quick else 200)
    captions.main(runs=1 if quick else 5, images=4 if quick else 32)
    overlap.main(megabytes=1 if quick else 100, megabytes_per_second=10 if quick else 50)


if __name__ == "__main__":
    main()
