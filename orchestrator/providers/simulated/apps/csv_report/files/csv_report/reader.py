"""Reading CSV files."""

import csv
from dataclasses import dataclass
from pathlib import Path


class ReportError(Exception):
    """The input cannot be reported on. The message is one line that says why."""


@dataclass(frozen=True)
class Table:
    """Column names and rows; each row has a text for each column."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_table(path: Path, delimiter: str = ",") -> Table:
    """The CSV file at `path`, whose first line names the columns.

    Empty lines are skipped. Raises ReportError for a file without header, doubled
    column names, or a row with too few or too many fields.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream, delimiter=delimiter)
        header = tuple(name.strip() for name in next(lines, []))
        if not header:
            raise ReportError(f"{path}: the file is empty")
        if len(set(header)) != len(header):
            raise ReportError(f"{path}: two columns have the same name")
        rows = []
        for fields in lines:
            if not fields:
                continue
            if len(fields) != len(header):
                raise ReportError(
                    f"{path}, line {lines.line_num}: "
                    f"{len(fields)} fields instead of {len(header)}"
                )
            texts = (field.strip() for field in fields)
            rows.append(dict(zip(header, texts, strict=True)))
    return Table(header, tuple(rows))
