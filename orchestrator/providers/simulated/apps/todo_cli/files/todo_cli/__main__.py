"""`python -m todo_cli` runs the command line."""

import sys

from todo_cli.cli import main

if __name__ == "__main__":
    sys.exit(main())
