"""`python -m nlpkit` is `nlpkit`."""

from nlpkit.cli.app import main

if __name__ == "__main__":
    main()
