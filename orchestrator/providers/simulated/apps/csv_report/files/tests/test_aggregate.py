"""Groups and figures."""

from decimal import Decimal

import pytest

from csv_report.aggregate import Figures, aggregate, figures
from csv_report.reader import ReportError, Table


def table(*pairs: tuple[str, str]) -> Table:
    return Table(("who", "amount"), tuple({"who": w, "amount": a} for w, a in pairs))


def test_groups_are_sorted_and_exact() -> None:
    report = aggregate(
        table(("b", "0.1"), ("a", "5"), ("b", "0.2"), ("b", "-1")), "who", "amount"
    )
    assert [name for name, _ in report.groups] == ["a", "b"]
    b = report.groups[1][1]
    assert (b.count, b.total) == (3, Decimal("-0.7"))
    assert (b.minimum, b.maximum) == (Decimal(-1), Decimal("0.2"))
    assert report.overall.total == Decimal("4.3")


def test_empty_fields_are_counted_but_not_summed() -> None:
    report = aggregate(table(("a", ""), ("a", "4"), ("a", "2")), "who", "amount")
    assert report.overall == Figures(2, 1, Decimal(6), Decimal(2), Decimal(4))
    assert report.overall.mean == Decimal(3)


def test_no_numbers_have_no_mean() -> None:
    empty = figures([None, None])
    assert (empty.count, empty.missing, empty.mean) == (0, 2, None)
    assert aggregate(table(), "who", "amount").groups == ()


@pytest.mark.parametrize("text", ["x", "1,5", "NaN", "Infinity", "0x10"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ReportError, match="row 2, column 'amount'"):
        aggregate(table(("a", "1"), ("a", text)), "who", "amount")


def test_unknown_columns_are_named() -> None:
    with pytest.raises(ReportError, match="'size'; there are: who, amount"):
        aggregate(table(), "who", "size")
