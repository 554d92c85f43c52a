"""The tests of packages of Node, by the runner that their package.json names."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from orchestrator.domain.findings import CheckResult, CheckStatus, Finding
from orchestrator.validators.commands_check import place_in
from orchestrator.validators.node_package import LIMITS, NodePackage, failure, node_packages, plain, run_in
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject

NAME = "npm_test"
_REPORT = ".orch-node-tests.json"
_TEST_FILE = re.compile(r"(\.(test|spec)\.[cm]?[jt]sx?$)|((^|/)(__tests__|tests?)/.+\.[cm]?[jt]sx?$)")
_NO_ASSERTION = re.compile(r"expected any number of assertion|but got none", re.IGNORECASE)
_VITEST = ("npx", "--no-install", "vitest", "run", "--expect.requireAssertions")
_RUNNER = re.compile(r"(^|[\s/])(node (\S+ )*--test|mocha|ava|tap|playwright test)(\s|$)")
_MASKED = re.compile(r"\|\||;|\|")  # would hide how the runner ended
_JEST = ("npx", "--no-install", "jest", "--ci", "--json")


async def check_npm_test(subject: Subject) -> CheckResult:
    """The tests of each package.json pass, there are some, and none of vitest's passes without an assertion."""
    packages = [package for package in node_packages(subject) if _script(package)]
    if not packages:
        return not_applicable(NAME, "no package.json with a test script")
    unknown = [package for package in packages if not _command(package)]
    if unknown:
        known = "vitest, jest, node --test, mocha, ava, tap, playwright"
        return unchecked(NAME, f"unknown test runner in {unknown[0].path}; known are {known}")
    findings: list[Finding] = []
    duration_s = 0.0
    for package in packages:
        checked = await _tested(subject, package)
        if checked.limit or checked.status is CheckStatus.UNCHECKED:
            return checked
        findings += checked.findings
        duration_s += checked.duration_s
    return result(NAME, findings, round(duration_s, 3))


def is_node_test(path: str) -> bool:
    """True for files that the usual test runners of Node collect."""
    return _TEST_FILE.search(path) is not None and "node_modules" not in PurePosixPath(path).parts


def _script(package: NodePackage) -> str:
    """The test script; empty where there is none, or the one of `npm init`."""
    script = package.script("test")
    return "" if "no test specified" in script else script


def _command(package: NodePackage) -> list[str]:
    """What runs the tests, with a report where the runner writes one; empty where none is known."""
    script = _script(package)
    if "vitest" in script:
        return [*_VITEST, "--reporter=default", "--reporter=json", "--outputFile.json", f"{{tmp}}/{_REPORT}"]
    if re.search(r"\bjest\b", script):
        return [*_JEST, "--outputFile", f"{{tmp}}/{_REPORT}"]
    return ["npm", "test", "--silent"] if _RUNNER.search(script) and not _MASKED.search(script) else []


async def _tested(subject: Subject, package: NodePackage) -> CheckResult:
    if not any(is_node_test(path) for path in subject.files if package.holds(path)):
        message = "there is a test script, and no file of tests"
        return result(NAME, [Finding(validator=NAME, path=package.path, rule="no-tests", message=message)])
    command = _command(package)
    run = await run_in(subject, package, command, collect=[_REPORT])
    if run.limit:
        return stopped(NAME, run.limit, LIMITS, run.duration_s)
    report = run.files.get(_REPORT, b"")
    if not run.exit_code and _REPORT in command[-1] and not report:
        return unchecked(NAME, "the test runner wrote no report of what it ran")
    findings = _failed_tests(report, subject.files)
    if run.exit_code and not findings:
        findings = [failure(NAME, "failed", command, run, package, subject)]
    return result(NAME, findings, run.duration_s)


def _failed_tests(data: bytes, files: Mapping[str, bytes]) -> list[Finding]:
    """Failures in the report that vitest and jest share. The checked code could have written it: taken with care."""
    try:
        report = json.loads(data)
        suites = [suite for suite in report["testResults"] if isinstance(suite, dict)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    findings = []
    for suite in suites:
        path = plain(str(suite.get("name", "")))
        tests = [test for test in suite.get("assertionResults") or [] if isinstance(test, dict)]
        failed = [test for test in tests if test.get("status") == "failed"]
        for test in failed:
            messages = test.get("failureMessages") or [""]
            findings.append(_failed_test(path, str(test.get("fullName", "")), str(messages[0]), files))
        if suite.get("status") == "failed" and not failed:
            findings.append(_failed_test(path, "", str(suite.get("message", "the file cannot be run")), files))
    return findings


def _failed_test(path: str, test: str, message: str, files: Mapping[str, bytes]) -> Finding:
    said = plain(message)
    place, line = place_in(said, files)
    rule = "no-assert" if _NO_ASSERTION.search(said) else "test-failure" if test else "collection-error"
    return Finding(
        validator=NAME,
        path=place or (path if path in files else ""),
        line=line,
        rule=rule,
        message=clean(f"{test}: {said}" if test else said),
    )
