"""`python -m csv_report` runs the command line."""

import sys

from csv_report.cli import main

if __name__ == "__main__":
    sys.exit(main())
