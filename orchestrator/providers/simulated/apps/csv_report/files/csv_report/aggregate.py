"""Groups of rows and their figures, in exact decimal arithmetic."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from csv_report.reader import ReportError, Table


@dataclass(frozen=True)
class Figures:
    """Figures of one column over one group. `missing` counts empty fields."""

    count: int
    missing: int
    total: Decimal
    minimum: Decimal | None
    maximum: Decimal | None

    @property
    def mean(self) -> Decimal | None:
        """The average of the fields that are not empty, None if there is none."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True)
class Report:
    """Figures of `value` for each value of `group_by`, in order, and over all rows."""

    group_by: str
    value: str
    groups: tuple[tuple[str, Figures], ...]
    overall: Figures


def aggregate(table: Table, group_by: str, value: str) -> Report:
    """Group the rows by one column and sum up another.

    Raises ReportError for an unknown column or a field that is not a number.
    """
    for column in (group_by, value):
        if column not in table.columns:
            known = ", ".join(table.columns)
            raise ReportError(f"there is no column {column!r}; there are: {known}")
    grouped: dict[str, list[Decimal | None]] = {}
    for number, row in enumerate(table.rows, start=1):
        grouped.setdefault(row[group_by], []).append(_number(row[value], value, number))
    groups = tuple((name, figures(grouped[name])) for name in sorted(grouped))
    overall = figures(entry for entries in grouped.values() for entry in entries)
    return Report(group_by, value, groups, overall)


def figures(entries: Iterable[Decimal | None]) -> Figures:
    """Figures of some numbers, where None stands for an empty field."""
    everything = list(entries)
    numbers = [entry for entry in everything if entry is not None]
    return Figures(
        count=len(numbers),
        missing=len(everything) - len(numbers),
        total=sum(numbers, Decimal(0)),
        minimum=min(numbers, default=None),
        maximum=max(numbers, default=None),
    )


def _number(text: str, column: str, row: int) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ReportError(f"row {row}, column {column!r}: {text!r} is not a number")
    return number
