"""A pytest plugin that stands alone: one JSON object per line about what pytest does, for the caller to read."""

import json
import os

MESSAGE_CHARS = 2000


class Reporter:
    """Writes events as they happen, so that a run that is killed still tells how far it came."""

    def __init__(self, path, root):
        self.root = str(root)
        self.file = open(path, "w", encoding="utf-8")
        self.causes = {}

    def emit(self, **event):
        try:
            self.file.write(json.dumps(event) + "\n")
            self.file.flush()
        except (OSError, ValueError):
            pass  # the disk is full: the caller learns that by itself

    def pytest_runtest_logstart(self, nodeid):
        self.emit(event="start", nodeid=nodeid)

    def pytest_exception_interact(self, call, report):
        error = call.excinfo.value
        cause = error if isinstance(error, ImportError) else error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            self.causes[report.nodeid] = cause.name
            self.emit(event="missing", nodeid=report.nodeid, module=cause.name)

    def pytest_collectreport(self, report):
        if report.failed:
            self.failure("collect", report)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failure(report.when, report)
        elif report.when == "call" and report.passed:
            self.emit(event="passed", nodeid=report.nodeid)
        elif report.skipped:
            self.emit(event="skipped", nodeid=report.nodeid)

    def failure(self, when, report):
        path, line = self.location(report)
        crash = getattr(report.longrepr, "reprcrash", None)
        message = crash.message if crash is not None else report.longreprtext
        self.emit(
            event="failed", when=when, nodeid=report.nodeid, path=path, line=line, message=tail(message, crash is None)
        )

    def location(self, report):
        """The innermost line of the traceback inside the workspace, else the test itself."""
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", [])
        for entry in reversed(entries):
            place = getattr(entry, "reprfileloc", None)
            if place is None:
                continue
            path = os.path.relpath(os.path.join(self.root, place.path), self.root)
            if not path.startswith(".."):
                return path, place.lineno
        where = getattr(report, "location", None)
        if where:
            return where[0], (where[1] or 0) + 1
        return report.nodeid.split("::")[0], 0

    def pytest_sessionfinish(self, session, exitstatus):
        self.emit(event="finish", exit=int(exitstatus), collected=session.testscollected)


def tail(text, from_end):
    """A collection error tells its reason last, an assertion first."""
    return text[-MESSAGE_CHARS:] if from_end else text[:MESSAGE_CHARS]


def pytest_configure(config):
    path = os.environ.get("ORCH_PYTEST_REPORT")
    if path:
        config.pluginmanager.register(Reporter(path, config.invocation_params.dir), "orch-reporter")
