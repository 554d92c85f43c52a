"""The sources of the project, as the tests of its architecture read them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestrator", "workflows", "activities", "workers", "cli")
HANDED_OUT = ROOT / "orchestrator/providers/simulated/apps"  # software that simulated models write: data


def modules(*folders: str) -> list[Path]:
    """All modules below these folders, in order."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not (path.is_relative_to(HANDED_OUT) and "files" in path.parts))


def name_of(path: Path) -> str:
    """The path below the root, as test ids and allowlists give it."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that is imported anywhere; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
