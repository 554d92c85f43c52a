"""Python functions that installed packages register for transforms."""

import importlib.metadata
from collections.abc import Callable
from typing import Any

ENTRY_POINTS = "orchestrator.transforms"

TransformFunction = Callable[[dict[str, Any]], Any]
"""Takes all variables, gives a JSON value."""


def find_function(name: str) -> TransformFunction | None:
    """The function that an installed package registers under this name, None where none does."""
    found = [*importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)]
    if not found:
        return None
    loaded: TransformFunction = found[0].load()
    return loaded


def function_names() -> tuple[str, ...]:
    """The names that installed packages register."""
    return tuple(sorted(each.name for each in importlib.metadata.entry_points(group=ENTRY_POINTS)))
