"""Reports as text."""

import json
from decimal import ROUND_HALF_UP, Decimal

from csv_report.aggregate import Figures, Report

COLUMNS = ("count", "missing", "total", "mean", "min", "max")


def to_markdown(report: Report) -> str:
    """The report as a Markdown document with one table."""
    name, value = _cell(report.group_by), _cell(report.value)
    lines = [
        f"# {value} by {name}",
        "",
        f"| {name} | {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * len(COLUMNS)}",
    ]
    for group, figures in report.groups:
        lines.append(f"| {_cell(group)} | {' | '.join(_texts(figures))} |")
    lines.append(f"| **all** | {' | '.join(_texts(report.overall))} |")
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> str:
    """The report as a JSON document; amounts are texts, so that they stay exact."""
    document = {
        "group_by": report.group_by,
        "value": report.value,
        "groups": {group: _named(figures) for group, figures in report.groups},
        "all": _named(report.overall),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def format_number(number: Decimal | None) -> str:
    """`number` with at most two decimals and no needless zeros, `-` for None."""
    if number is None:
        return "-"
    rounded = number.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _texts(figures: Figures) -> list[str]:
    amounts = (figures.total, figures.mean, figures.minimum, figures.maximum)
    return [str(figures.count), str(figures.missing), *map(format_number, amounts)]


def _named(figures: Figures) -> dict[str, str | int | None]:
    amounts = (figures.total, figures.mean, figures.minimum, figures.maximum)
    texts = [None if amount is None else format_number(amount) for amount in amounts]
    values = (figures.count, figures.missing, *texts)
    return dict(zip(COLUMNS, values, strict=True))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) or "(empty)"
