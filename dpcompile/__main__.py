"""`python -m dpcompile`, the same as the `dpcompile` command."""

from dpcompile.cli import main

if __name__ == "__main__":
    main()
