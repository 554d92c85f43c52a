"""pytest over all files in the sandbox, as plain `pytest` in the exported folder would run them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.limits import MIB, Limits, SandboxRun
from orchestrator.validators.results import clean, not_applicable, result, stopped
from orchestrator.validators.subject import Subject

LIMITS = Limits(
    wall_s=60, cpu_s=120, memory_bytes=1024 * MIB, processes=256, disk_bytes=256 * MIB, output_bytes=1 * MIB
)
_REPORT = ".orch-pytest-report"
# the script, not `-m pytest`: that would put the workspace on sys.path, which plain pytest does not
_COMMAND = (
    "{python}", "{tools}/bin/pytest", "-q", "-p", "no:cacheprovider", "-p", "orch_pytest_report",
    "-o", "enable_assertion_pass_hook=true",
)  # fmt: skip
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_EXIT_NO_TESTS = 5


@dataclass
class _Report:
    """What the plugin told: failures in order, missing modules by test, counts, and how far it came."""

    failures: list[dict[str, Any]] = field(default_factory=list)
    vacuous: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    skipped: int = 0
    current: str = ""
    finished: bool = False


async def check_pytest(subject: Subject, limits: Limits = LIMITS) -> CheckResult:
    """FAILED on any failing test, on a test or a test file that checks nothing, and where a limit ended the run."""
    files = subject.files
    if not any(is_test_file(path) for path in files):
        return not_applicable("pytest", "no test files")
    run = await subject.run(
        _COMMAND, limits, environment={"ORCH_PYTEST_REPORT": f"{{tmp}}/{_REPORT}"}, collect=[_REPORT]
    )
    report = _read(run.files.get(_REPORT, b""))
    if run.limit:
        return stopped("pytest", run.limit, limits, run.duration_s, clean(report.current))
    findings = [_failure(item, report, files) for item in report.failures]
    findings += [_vacuous(item, files) for item in report.vacuous]
    if not findings:
        findings = _problems_without_failure(run, report, files)
    return result("pytest", findings, run.duration_s)


def is_test_file(path: str) -> bool:
    """True for names that pytest collects by default."""
    name = PurePosixPath(path).name
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _read(data: bytes) -> _Report:
    """The plugin's events. The checked code could have written them too, so each is taken with care."""
    report = _Report()
    for line in data.decode(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut off by a kill
        if isinstance(event, dict):
            _take(event, report)
    return report


def _take(event: dict[str, Any], report: _Report) -> None:
    node = str(event.get("nodeid", ""))
    match event.get("event"):
        case "start":
            report.current = node
        case "failed":
            report.failures.append(event)
        case "vacuous" | "empty":
            report.vacuous.append(event)
        case "missing":
            report.missing[node] = str(event.get("module", ""))
        case "passed":
            report.passed += 1
        case "skipped":
            report.skipped += 1
        case "finish":
            report.finished = True


def _failure(item: dict[str, Any], report: _Report, files: Mapping[str, bytes]) -> Finding:
    node = str(item.get("nodeid", ""))
    path = str(item.get("path", ""))
    line = item.get("line")
    finding = Finding(
        validator="pytest",
        path=path if path in files else "",
        line=line if path in files and isinstance(line, int) and line > 0 else 0,
        rule="collection-error" if item.get("when") == "collect" else "test-failure",
        message=clean(f"{node}: {item.get('message', '')}"),
    )
    if module := report.missing.get(node):
        return finding.model_copy(update={"rule": "missing-import", "message": _missing_message(module, files)})
    return finding


def _vacuous(item: dict[str, Any], files: Mapping[str, bytes]) -> Finding:
    """A test that can never fail, or a file of tests without any."""
    path, line = str(item.get("path", "")), item.get("line")
    known = path in files
    empty = item.get("event") == "empty"
    message = f"{item.get('nodeid', '')}: passes without checking anything: no assertion was reached"
    return Finding(
        validator="pytest",
        path=path if known else "",
        line=line if known and isinstance(line, int) and line > 0 else 0,
        rule="no-tests" if empty else "no-assert",
        message=clean(f"{path}: holds no test" if empty else message),
    )


def _problems_without_failure(run: SandboxRun, report: _Report, files: Mapping[str, bytes]) -> list[Finding]:
    """Why a run without failing tests is no success; empty if it is one."""

    def finding(rule: str, message: str, path: str = "") -> list[Finding]:
        return [Finding(validator="pytest", rule=rule, message=clean(message), path=path if path in files else "")]

    if run.exit_code == _EXIT_NO_TESTS:
        return finding("no-tests", "no tests were collected")
    if run.exit_code == 0 and report.finished:
        return [] if report.passed else finding("no-tests", f"no test ran: {report.skipped} skipped, none passed")
    said = (run.stderr.strip() or run.stdout.strip())[-1500:]
    if missing := _MISSING.findall(run.stderr or run.stdout):
        return finding("missing-import", _missing_message(missing[-1], files))
    if report.current and not report.finished:
        message = f"{report.current}: the test run ended in the middle of this test with exit code {run.exit_code}"
        return finding("crash", f"{message}\n{said}", report.current.split("::")[0])
    return finding("pytest-error", f"pytest ended with exit code {run.exit_code}\n{said}")


def _missing_message(module: str, files: Mapping[str, bytes]) -> str:
    """Names the module; where the workspace has it, how to make plain pytest find it."""
    top = module.partition(".")[0]
    for root, setting in (("", "."), ("src/", "src")):
        if any(path == f"{root}{top}.py" or path.startswith(f"{root}{top}/") for path in files):
            return clean(
                f"cannot import {module!r}: it is in the workspace, but not on pytest's import path; "
                f"set pythonpath = [{setting!r}] under [tool.pytest.ini_options] in pyproject.toml"
            )
    return clean(f"cannot import {module!r}: not in the workspace and not installed")
