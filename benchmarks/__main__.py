"""`make bench`: every figure, with what dominates it."""

from __future__ import annotations

import platform
import sys

from benchmarks import catalogue, cold, warm


def main() -> None:
    """Prints all figures. `--quick` takes fewer runs, to see that the benchmarks work."""
    quick = "--quick" in sys.argv[1:]
    print(f"Python {platform.python_version()} on {platform.machine()}, {platform.system()}")
    cold.main(runs=3 if quick else 25)
    warm.main(seconds=0.3 if quick else 5.0)
    catalogue.main(runs=3 if quick else 15)


if __name__ == "__main__":
    main()
