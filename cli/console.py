"""The two streams: results go to stdout, everything else to stderr. Colour only where a terminal reads it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import typer

_Row = TypeVar("_Row")


def say(text: str) -> None:
    """Progress, notices and errors: one line on stderr."""
    typer.echo(text, err=True)


def show(text: str) -> None:
    """A part of the result on stdout; styles are dropped where stdout is no terminal."""
    typer.echo(text)


def show_json(value: Mapping[str, Any]) -> None:
    """The result as the one JSON object on stdout; control characters come out escaped."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def fitting(rows: Sequence[_Row], room: int, rank: Callable[[_Row], int]) -> list[_Row]:
    """As many rows as fit, in their order: rather those of a low rank."""
    chosen = sorted(range(len(rows)), key=lambda index: (rank(rows[index]), index))[:room]
    return [rows[index] for index in sorted(chosen)]


def columns(rows: list[tuple[str, ...]], indent: str = "  ") -> list[str]:
    """Rows as left-aligned lines; every column is as wide as its widest cell."""
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
