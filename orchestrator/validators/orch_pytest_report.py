"""A pytest plugin that stands alone: tells the caller what pytest does, one JSON object per line."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # runs under the pytest of the tools, which need not be installed where we are
    import pytest

MESSAGE_CHARS = 2000
# Calls that check something although they are no `assert`: pytest.raises, self.assertEqual, mock.assert_called_once
CHECKING = re.compile(
    r"^_*(assert|raises|warns|deprecated_call|fail|expect|verify|check|validate|match|should|ensure|snapshot)",
    re.IGNORECASE,
)


class Reporter:
    """Writes events as they happen, so that a run that is killed still tells how far it came."""

    def __init__(self, path: str, root: Path) -> None:
        self.root = str(root)
        self.file = open(path, "w", encoding="utf-8")  # noqa: SIM115  open for the whole session
        self.items: dict[str, pytest.Item] = {}
        self.passed: list[str] = []
        self.checked: set[tuple[str, str]] = set()  # functions of tests in which something was checked

    def emit(self, **event: object) -> None:
        """Append one event, where there is room for it."""
        try:
            self.file.write(json.dumps(event) + "\n")
            self.file.flush()
        except OSError:
            return  # the disk is full: the caller learns that by itself

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A test is about to run."""
        self.items[item.nodeid] = item

    def pytest_assertion_pass(self, item: pytest.Item, lineno: int, orig: str, expl: str) -> None:
        """An assertion held; one that cannot fail proves nothing."""
        if not constant(orig):
            self.checked.add(function_of(item.nodeid))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts."""
        self.emit(event="start", nodeid=nodeid)

    def pytest_exception_interact(
        self, call: pytest.CallInfo[Any], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """An exception of a test or a collection: tells a missing module by its type, not by words."""
        error = call.excinfo.value if call.excinfo else None
        cause = error if isinstance(error, ImportError) else getattr(error, "__cause__", None)
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            self.emit(event="missing", nodeid=report.nodeid, module=cause.name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file was collected."""
        if report.failed:
            self.failure("collect", report)
        elif report.passed and not report.result and report.nodeid.endswith(".py"):
            self.emit(event="empty", path=report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test ended."""
        if report.failed:
            self.failure(report.when, report)
        elif report.when == "call" and report.passed:
            self.passed.append(report.nodeid)
            self.emit(event="passed", nodeid=report.nodeid)
        elif report.skipped:
            self.emit(event="skipped", nodeid=report.nodeid)

    def failure(self, when: str | None, report: pytest.CollectReport | pytest.TestReport) -> None:
        """Report a failure with its place and the end or the start of its message."""
        path, line = self.place(report)
        crash = getattr(report.longrepr, "reprcrash", None)
        # an assertion tells its reason first, a collection error last
        message = crash.message[:MESSAGE_CHARS] if crash else report.longreprtext[-MESSAGE_CHARS:]
        self.emit(event="failed", when=when, nodeid=report.nodeid, path=path, line=line, message=message)

    def place(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, int]:
        """The innermost line of the traceback inside the workspace, else where the test begins."""
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", [])
        for entry in reversed(entries):
            found = getattr(entry, "reprfileloc", None)
            if found is None:
                continue
            path = os.path.relpath(os.path.join(self.root, found.path), self.root)
            if not path.startswith("..") and os.path.exists(os.path.join(self.root, path)):
                return path, found.lineno
        where = getattr(report, "location", None)
        return (where[0], (where[1] or 0) + 1) if where else (report.nodeid.split("::")[0], 0)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The session ended in order: tests that passed and checked nothing are told now."""
        for nodeid in self.passed:
            function = function_of(nodeid)
            if function in self.checked or checks_otherwise(self.items.get(nodeid)):
                continue
            self.checked.add(function)  # told once, however many parameters it has
            path, line, _ = self.items[nodeid].location
            self.emit(event="vacuous", nodeid=nodeid, path=path, line=(line or 0) + 1)
        self.emit(event="finish", exit=int(exitstatus))


def function_of(nodeid: str) -> tuple[str, str]:
    """File and function of a test, without its parameters."""
    path, _, name = nodeid.partition("::")
    return path, name.partition("[")[0]


def constant(expression: str) -> bool:
    """True for an expression without any name or call, such as `True` or `1 == 1`."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return not any(isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Await) for node in ast.walk(tree))


def checks_otherwise(item: pytest.Item | None) -> bool:
    """True where the test's function calls something that checks, or where it is no function."""
    function = getattr(item, "function", None)
    if function is None:
        return True
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return True
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = (str(getattr(call, "attr", "") or getattr(call, "id", "")) for call in calls)
    return any(CHECKING.match(name) for name in names)


def pytest_configure(config: pytest.Config) -> None:
    """Start reporting where the caller asked for it."""
    path = os.environ.pop("ORCH_PYTEST_REPORT", "")
    if path:
        config.pluginmanager.register(Reporter(path, config.invocation_params.dir), "orch-reporter")
