"""Real defects for first drafts: each is found by compiling, by ruff, by the tests, or by reading."""

import ast
import random
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from orchestrator.providers.simulated.software import Slip


class DefectKind(StrEnum):
    """What is wrong, and what finds it; critics find all of them."""

    SYNTAX_ERROR = "syntax_error"  # does not compile
    UNDEFINED_NAME = "undefined_name"  # ruff F821
    MISSING_IMPORT = "missing_import"  # ruff F821
    UNUSED_IMPORT = "unused_import"  # ruff F401
    SLIP = "slip"  # compiles and looks fine, the tests fail
    UNFINISHED = "unfinished"  # a text that ends after its first lines


class Defect(NamedTuple):
    """A file with a defect in it."""

    kind: DefectKind
    path: str
    content: str


_BLOCK_START = re.compile(r"\s*(async def|def|class|if|for|while|with) .*:$")
_NEEDLESS_IMPORTS = ("itertools", "collections", "string", "random", "shutil")
_TEXT_LINES_KEPT = 4


def spoil(files: dict[str, str], slips: tuple[Slip, ...], rng: random.Random) -> dict[str, str]:
    """`files` with one defect in one of them; unchanged where none fits."""
    by_kind: dict[DefectKind, list[Defect]] = {}
    for path, content in files.items():
        for defect in possible_defects(path, content, slips):
            by_kind.setdefault(defect.kind, []).append(defect)
    if not by_kind:
        return files
    defect = rng.choice(by_kind[rng.choice(sorted(by_kind))])
    return {**files, defect.path: defect.content}


@lru_cache(maxsize=256)
def possible_defects(path: str, content: str, slips: tuple[Slip, ...]) -> tuple[Defect, ...]:
    """Every defect that this file can be given."""
    return tuple(_found(path, content, slips))


def _found(path: str, content: str, slips: tuple[Slip, ...]) -> Iterator[Defect]:
    for slip in slips:
        if slip.file == path and slip.old in content:
            yield Defect(DefectKind.SLIP, path, content.replace(slip.old, slip.new, 1))
    if path.endswith(".md"):
        start = "\n".join(content.split("\n")[:_TEXT_LINES_KEPT])
        yield Defect(DefectKind.UNFINISHED, path, f"{start.rstrip()}\n\nMore to come.\n")
    if not path.endswith(".py"):
        return
    tree = ast.parse(content)
    lines = content.split("\n")
    yield from (Defect(DefectKind.SYNTAX_ERROR, path, text) for text in _without_colon(lines))
    yield from (Defect(DefectKind.UNDEFINED_NAME, path, text) for text in _misnamed(tree, lines))
    if not path.endswith("__init__.py"):
        yield from (Defect(DefectKind.MISSING_IMPORT, path, text) for text in _without_import(tree, lines))
        yield from (Defect(DefectKind.UNUSED_IMPORT, path, text) for text in _needless_import(tree, lines))


def _without_colon(lines: list[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        if _BLOCK_START.match(line):
            text = _replaced(lines, index, line[:-1])
            if not _compiles(text):
                yield text


def _misnamed(tree: ast.Module, lines: list[str]) -> Iterator[str]:
    """A parameter is used under a name that does not exist."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        parameters = {argument.arg for argument in function.args.args} - {"self", "cls"}
        for node in (inner for statement in function.body for inner in ast.walk(statement)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in parameters:
                text = _renamed(node, lines)
                if text:
                    yield text


def _renamed(node: ast.Name, lines: list[str]) -> str:
    wrong = f"{node.id}_value"
    line = lines[node.lineno - 1].encode()
    before, rest = line[: node.col_offset], line[node.col_offset :]
    if not rest.startswith(node.id.encode()) or wrong in "\n".join(lines):
        return ""
    text = _replaced(lines, node.lineno - 1, (before + wrong.encode() + rest[len(node.id.encode()) :]).decode())
    # Positions inside f-strings are not exact in Python 3.11: what did not hit the name is dropped.
    hit = _compiles(text) and any(isinstance(n, ast.Name) and n.id == wrong for n in ast.walk(ast.parse(text)))
    return text if hit else ""


def _without_import(tree: ast.Module, lines: list[str]) -> Iterator[str]:
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno == node.end_lineno:
            names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            if len(names) == 1 and names[0] in used:
                yield "\n".join([*lines[: node.lineno - 1], *lines[node.lineno :]])


def _needless_import(tree: ast.Module, lines: list[str]) -> Iterator[str]:
    first = next((node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)), None)
    if first is None:
        return
    for module in _NEEDLESS_IMPORTS:
        if not any(module in line for line in lines):
            yield "\n".join([*lines[: first.lineno - 1], f"import {module}", *lines[first.lineno - 1 :]])


def _replaced(lines: list[str], index: int, line: str) -> str:
    return "\n".join([*lines[:index], line, *lines[index + 1 :]])


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
