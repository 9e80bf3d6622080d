"""`python -m sdrbridge`."""

from sdrbridge.cli import main

if __name__ == "__main__":
    main()
