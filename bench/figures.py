"""A figure, its aim, and how figures are shown."""

import os
import platform
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """Measured values of one thing; `aim` is the most that its median should be, None where there is no aim."""

    name: str
    unit: str
    values: tuple[float, ...]
    aim: float | None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the aim is reached."""
        if self.aim is None:
            return ""
        return "ok" if self.value <= self.aim else "MISSED"


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    head = ("figure", "median", "aim", "", "values")
    rows = [head] + [
        (
            f"{figure.name} ({figure.unit})",
            f"{figure.value:.2f}",
            "" if figure.aim is None else f"{figure.aim:.2f}",
            figure.verdict,
            " ".join(f"{value:.2f}" for value in figure.values),
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_object(figures: Sequence[Figure]) -> dict[str, Any]:
    """The figures for machines, with what they were measured on."""
    return {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "median": round(figure.value, 4),
                "aim": figure.aim,
                "values": [round(value, 4) for value in figure.values],
            }
            for figure in figures
        ],
    }
