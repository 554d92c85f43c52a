"""Code that is replayed knows no clock, chance, environment or I/O.

Workers run workflows without Temporal's sandbox (docs/decisions/0007), which finds such calls only at run time
and none in modules that are passed through: they are looked for in the sources.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imported_names, modules, name_of, parse

REPLAYED = [
    *modules("orchestrator/domain", "orchestrator/contracts", "workflows"),
    *(ROOT / "activities").glob("interfaces.py"),
]
BANNED_MODULES = frozenset(
    [
        *("os", "io", "random", "secrets", "time", "socket", "ssl", "http", "urllib", "sqlite3"),
        *("subprocess", "threading", "multiprocessing", "concurrent", "tempfile", "shutil", "glob"),
    ]
)
BANNED_NAMES = frozenset(
    [
        *("pathlib.Path", "uuid.uuid1", "uuid.uuid4", "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr"),
        *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
        *("asyncio.wait", "asyncio.as_completed", "asyncio.to_thread", "asyncio.run"),
    ]
)
BANNED_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "id", "hash"})


def nondeterminism(tree: ast.AST) -> Iterator[str]:
    """What in this module could differ when it is run again."""
    for name in imported_names(tree):
        if name.split(".")[0] in BANNED_MODULES or name in BANNED_NAMES:
            yield f"import of {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = ".".join(ast.unparse(node).split(".")[-2:])
            if dotted in BANNED_NAMES:
                yield f"line {node.lineno}: {dotted}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BANNED_BUILTINS:
            yield f"line {node.lineno}: {node.func.id}()"


@pytest.mark.parametrize("path", REPLAYED, ids=name_of)
def test_replayed_code_is_deterministic(path: Path) -> None:
    assert list(nondeterminism(parse(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from os import environ",
        "import time as clock",
        "from random import choice",
        "from pathlib import Path",
        "from uuid import uuid4",
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import datetime\nx = datetime.utcnow()",
        "import asyncio\nx = asyncio.wait([])",
        "def f() -> None:\n    open('x')",
    ],
)
def test_each_kind_of_nondeterminism_is_found(source: str) -> None:
    assert list(nondeterminism(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime, timedelta",
        "from pathlib import PurePosixPath",
        "from temporalio import workflow\nx = workflow.now(), workflow.uuid4()",
    ],
)
def test_what_is_safe_is_let_through(source: str) -> None:
    assert not list(nondeterminism(ast.parse(source)))
