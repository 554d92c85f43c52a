"""The command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from csv_report.aggregate import aggregate
from csv_report.reader import ReportError, read_table
from csv_report.render import to_json, to_markdown


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one report; returns the exit code: 0, or 1 after an error message."""
    options = build_parser().parse_args(arguments)
    render = to_json if options.format == "json" else to_markdown
    try:
        table = read_table(options.file, options.delimiter)
        text = render(aggregate(table, options.group_by, options.value))
        if options.output is None:
            sys.stdout.write(text)
        else:
            options.output.write_text(text, encoding="utf-8")
    except (ReportError, OSError, UnicodeDecodeError) as error:
        print(f"csv-report: {error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    parser = argparse.ArgumentParser(prog="csv-report", description="Sum up a CSV.")
    parser.add_argument("file", type=Path, help="the CSV file")
    parser.add_argument("--group-by", required=True, help="column to group by")
    parser.add_argument("--value", required=True, help="column to sum up")
    parser.add_argument("--delimiter", type=_delimiter, default=",", help="one letter")
    parser.add_argument("--format", choices=("markdown", "json"), default="markdown")
    parser.add_argument("--output", type=Path, help="file to write, default: stdout")
    return parser


def _delimiter(text: str) -> str:
    if len(text) != 1:
        raise argparse.ArgumentTypeError("a delimiter is one character")
    return text
