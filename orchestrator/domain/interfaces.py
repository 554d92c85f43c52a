"""What of finished files a later task sees: their interfaces first, whole files as far as there is room."""

import ast
import re
from collections.abc import Sequence
from enum import StrEnum

from orchestrator.domain.base import Frozen

_SCRIPT = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx")
_EXPORT = re.compile(r"^(?:export\b|module\.exports\b|exports\.)[^\n]*", re.MULTILINE)


class Extent(StrEnum):
    """How much of a file is shown."""

    WHOLE = "whole"
    INTERFACE = "interface"  # signatures, docs and constants
    NAME = "name"  # there was no room for more


class Shown(Frozen):
    """One file as it is shown."""

    path: str
    extent: Extent
    text: str


def shown_within(files: Sequence[tuple[str, str]], max_bytes: int) -> list[Shown]:
    """Each file (path, text) as an interface where it has one and there is room, whole as far as room is left.

    Files are in the order of their importance. The texts together have at most `max_bytes` bytes of UTF-8.
    """
    room = max_bytes
    extents: dict[int, Shown] = {}
    for index, (path, text) in enumerate(files):
        brief = interface_of(path, text)
        if brief is not None and _size(brief) <= room:
            extents[index] = Shown(path=path, extent=Extent.INTERFACE, text=brief)
            room -= _size(brief)
    for index, (path, text) in enumerate(files):
        gained = _size(extents[index].text) if index in extents else 0
        if _size(text) - gained <= room:
            room -= _size(text) - gained
            extents[index] = Shown(path=path, extent=Extent.WHOLE, text=text)
    return [extents.get(index, Shown(path=path, extent=Extent.NAME, text="")) for index, (path, _) in enumerate(files)]


def interface_of(path: str, text: str) -> str | None:
    """What others may rely on in this file; None where that cannot be told, or is no shorter than the file."""
    if path.endswith((".py", ".pyi")):
        brief = _python(text)
    elif path.endswith(_SCRIPT):
        brief = "\n".join(match[0] for match in _EXPORT.finditer(text)) or None
    else:
        brief = None
    return brief if brief is not None and _size(brief) < _size(text) else None


def _python(text: str) -> str | None:
    """Imports, constants, classes and functions with their docs; the bodies of functions are hidden."""
    try:
        module = ast.parse(text)
        module.body = _kept(module.body)
        return ast.unparse(module) or None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _kept(body: list[ast.stmt]) -> list[ast.stmt]:
    kept: list[ast.stmt] = []
    for number, node in enumerate(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [*_docs(node.body), ast.Expr(ast.Constant(...))]
            kept.append(node)
        elif isinstance(node, ast.ClassDef):
            node.body = _kept(node.body) or [ast.Expr(ast.Constant(...))]
            kept.append(node)
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign) or (
            number == 0 and _docs([node])
        ):
            kept.append(node)
    return kept


def _docs(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return [first] if is_text else []


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
