"""Validators through the registry, in a real sandbox where there is one."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.domain.findings import CheckResult, CheckStatus
from orchestrator.domain.plan import KNOWN_VALIDATORS
from orchestrator.settings import load_settings
from orchestrator.validators.pytest_check import check_pytest
from orchestrator.validators.registry import VALIDATORS, check_files
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.subject import Subject
from orchestrator.validators.tools import ToolEnvironment
from tests.sandbox.boxes import SMALL, sandbox

CONFTEST = {"conftest.py": b"# the root of the project\n"}
MODULE = {"pkg/__init__.py": b"", "pkg/core.py": b"def double(x):\n    return 2 * x\n"}
GOOD = b"from pkg.core import double\n\n\ndef test_double():\n    assert double(2) == 4\n"


@pytest.fixture(scope="module", params=["", "unsafe"])
def box(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox(request.param)


@pytest.fixture(scope="module")
def bubblewrap() -> Sandbox:
    return sandbox()


def _check(box: Sandbox, validator: str, files: dict[str, bytes], own: frozenset[str] = frozenset()) -> CheckResult:
    return asyncio.run(check_files(files, own, [validator], box))[0]


def _rules(result: CheckResult) -> list[str]:
    return [finding.rule for finding in result.findings]


def test_names() -> None:
    assert set(VALIDATORS) == set(KNOWN_VALIDATORS)


def test_without_sandbox_nothing_runs_and_nothing_passes(tmp_path: Path) -> None:
    none = Sandbox("", ToolEnvironment(load_settings({"HOME": str(tmp_path)}, tmp_path)), reason="no bubblewrap")
    results = asyncio.run(check_files({"test_a.py": GOOD}, frozenset(), ["ruff", "pytest", "latex"], none))
    assert [result.status for result in results] == [CheckStatus.UNCHECKED] * 3
    assert "no bubblewrap" in results[0].reason
    assert "unknown validator" in results[2].reason


def test_missing_bubblewrap_is_told_with_the_fix(tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path), "PATH": str(tmp_path)}, tmp_path)
    found = Sandbox.detect(settings, ToolEnvironment(settings))
    assert found.kind == ""
    assert "bubblewrap" in found.reason or "no sandbox for" in found.reason


def test_passing_tests_pass(box: Sandbox) -> None:
    result = _check(box, "pytest", {**MODULE, **CONFTEST, "tests/test_core.py": GOOD})
    assert result.status is CheckStatus.PASSED, result


def test_each_failing_test_is_a_finding_with_its_line(box: Sandbox) -> None:
    source = GOOD + b"\n\ndef test_wrong():\n    assert double(2) == 5\n\n\ndef test_raises():\n    double(None)\n"
    result = _check(box, "pytest", {**MODULE, **CONFTEST, "tests/test_core.py": source})
    assert [(f.path, f.line, f.rule) for f in result.findings] == [
        ("tests/test_core.py", 9, "test-failure"),
        ("pkg/core.py", 2, "test-failure"),
    ]
    assert "assert 4 == 5" in result.findings[0].message


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        ("collection-error", {"test_a.py": b"def broken(:\n"}),
        ("missing-import", {"test_a.py": b"import no_such_module\n"}),
        ("missing-import", {"test_a.py": b"def test_a():\n    import no_such_module.sub\n"}),
        ("missing-import", {"conftest.py": b"import no_such_module\n", "test_a.py": GOOD}),
        ("no-tests", {"test_a.py": b"x = 1\n"}),
        ("no-tests", {"test_a.py": b"import pytest\n@pytest.mark.skip\ndef test_a(): ...\n"}),
        ("crash", {"test_a.py": b"import os\ndef test_a(): os._exit(0)\n"}),
        ("crash", {"test_a.py": b"import os\ndef test_a(): os.kill(os.getpid(), 11)\n"}),
        ("pytest-error", {"test_a.py": b"import os\nos._exit(0)\n"}),
        ("pytest-error", {"test_a.py": b"def test_a(): ...\n", "pytest.ini": b"[pytest]\naddopts = --no-such\n"}),
        ("test-failure", {"test_a.py": b"import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_a(f): ...\n"}),
    ],
)
def test_run_that_proves_nothing_fails_with_its_reason(bubblewrap: Sandbox, rule: str, files: dict[str, bytes]) -> None:
    result = _check(bubblewrap, "pytest", files)
    assert result.status is CheckStatus.FAILED
    assert _rules(result) == [rule], result
    if rule == "missing-import":
        assert "no_such_module" in result.findings[0].message


@pytest.mark.parametrize("layout", ["", "src/"])
def test_import_path_is_that_of_plain_pytest(bubblewrap: Sandbox, layout: str) -> None:
    """What passes here passes with plain `pytest` in the exported folder; where it would not, the fix is named."""
    files = {f"{layout}{path}": content for path, content in MODULE.items()} | {"tests/test_core.py": GOOD}
    result = _check(bubblewrap, "pytest", files)
    assert _rules(result) == ["missing-import"]
    setting = layout.rstrip("/") or "."
    assert f"pythonpath = ['{setting}']" in result.findings[0].message
    config = f"[tool.pytest.ini_options]\npythonpath = ['{setting}']\n".encode()
    assert _check(bubblewrap, "pytest", {**files, "pyproject.toml": config}).status is CheckStatus.PASSED


def test_limit_is_named_with_the_test_that_hit_it(bubblewrap: Sandbox) -> None:
    source = b"def test_fine(): ...\ndef test_forever():\n    while True: pass\n"
    limits = SMALL.model_copy(update={"wall_s": 2.0})
    result = asyncio.run(check_pytest(Subject({"test_a.py": source}, (), bubblewrap), limits))
    assert (result.status, result.limit, _rules(result)) == (CheckStatus.FAILED, "wall", ["limit-wall"])
    assert "test_a.py::test_forever" in result.findings[0].message
    assert result.findings[0].path == "test_a.py"


def test_forged_report_does_not_hide_a_failure(bubblewrap: Sandbox) -> None:
    source = b"""
import glob
def test_a():
    with open('/tmp/.orch-pytest-report', 'a') as file:
        file.write('{"event": "failed", "line": [], "path": "../../x", "nodeid": 7}\\n[1]\\n{"event"\\n')
    assert False
"""
    result = _check(bubblewrap, "pytest", {"test_a.py": source})
    assert result.status is CheckStatus.FAILED
    assert {finding.path for finding in result.findings} <= {"", "test_a.py"}


def test_ruff_reports_own_files_only_and_ignores_the_projects_rules(box: Sandbox) -> None:
    files = {
        "own.py": b"import os\nx = 1" + b" # long" * 40 + b"\nprint(undefined)\n",
        "other.py": b"import sys\n",
        "-odd name.py": b"import os\n",
        "pyproject.toml": b"[tool.ruff.lint]\nignore = ['F']\n",
    }
    result = _check(box, "ruff", files, frozenset({"own.py", "-odd name.py"}))
    assert sorted((f.path, f.line, f.rule) for f in result.findings) == [
        ("-odd name.py", 1, "F401"),
        ("own.py", 1, "F401"),
        ("own.py", 3, "F821"),
    ]
    assert _check(box, "ruff", {"a.py": b"x = 1\n"}).status is CheckStatus.PASSED
    assert _rules(_check(box, "ruff", {"a.py": b"def f(:\n"}))[0] == "invalid-syntax"


@pytest.mark.parametrize(("validator", "files"), [("ruff", {"a.md": b"x"}), ("pytest", {"a.py": b"x = 1\n"})])
def test_nothing_to_look_at_is_not_applicable(bubblewrap: Sandbox, validator: str, files: dict[str, bytes]) -> None:
    assert _check(bubblewrap, validator, files).status is CheckStatus.NOT_APPLICABLE
