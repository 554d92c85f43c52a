"""Workflow code has no clock, no randomness and no I/O: nothing else keeps it from them (docs/decisions/0007)."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imported_names, modules, name_of, parse

DETERMINISTIC = {
    "abc", "asyncio", "bisect", "collections", "contextlib", "dataclasses", "datetime.timedelta", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "statistics",
    "string", "textwrap", "typing", "unicodedata",
}  # fmt: skip
OTHERS = {"pydantic", "temporalio", "orchestrator", "workflows", "activities"}
IO = {"open", "print", "input", "exec", "eval", "__import__", "id", "hash"}
WORKFLOW_CODE = [
    *modules("workflows", "orchestrator/domain", "orchestrator/contracts"),
    ROOT / "activities/interfaces.py",
]


@pytest.mark.parametrize("path", WORKFLOW_CODE, ids=name_of)
def test_workflow_code_imports_deterministic_modules_only(path: Path) -> None:
    names = {name for name in imported_names(parse(path)) if name.split(".")[0] not in OTHERS}
    assert not {name for name in names if name not in DETERMINISTIC and name.split(".")[0] not in DETERMINISTIC}


@pytest.mark.parametrize("path", WORKFLOW_CODE, ids=name_of)
def test_workflow_code_calls_nothing_that_differs_between_processes(path: Path) -> None:
    calls = (node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call))
    assert not [call.id for call in calls if isinstance(call, ast.Name) and call.id in IO]
