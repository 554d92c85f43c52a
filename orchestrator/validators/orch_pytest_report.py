"""A pytest plugin that stands alone: tells the caller what pytest does, one JSON object per line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # runs under the pytest of the tools, which need not be installed where we are
    import pytest

MESSAGE_CHARS = 2000


class Reporter:
    """Writes events as they happen, so that a run that is killed still tells how far it came."""

    def __init__(self, path: str, root: Path) -> None:
        self.root = str(root)
        self.file = open(path, "w", encoding="utf-8")  # noqa: SIM115  open for the whole session

    def emit(self, **event: object) -> None:
        """Append one event, where there is room for it."""
        try:
            self.file.write(json.dumps(event) + "\n")
            self.file.flush()
        except OSError:
            return  # the disk is full: the caller learns that by itself

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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test ended."""
        if report.failed:
            self.failure(report.when, report)
        elif report.when == "call" and report.passed:
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
        """The session ended in order."""
        self.emit(event="finish", exit=int(exitstatus))


def pytest_configure(config: pytest.Config) -> None:
    """Start reporting where the caller asked for it."""
    path = os.environ.pop("ORCH_PYTEST_REPORT", "")
    if path:
        config.pluginmanager.register(Reporter(path, config.invocation_params.dir), "orch-reporter")
