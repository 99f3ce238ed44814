"""``python -m search`` is the command line ``tuckprune``."""

from search.cli.app import main

if __name__ == "__main__":
    main()
