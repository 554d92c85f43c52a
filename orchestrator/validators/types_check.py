"""mypy over the own Python files, with fixed rules: what cannot work, not what could be annotated better."""

import re
from collections.abc import Mapping

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.import_check import root_of
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject

NAME = "mypy"
LIMITS = Limits(
    wall_s=180, cpu_s=240, memory_bytes=2048 * MIB, processes=64, disk_bytes=256 * MIB, output_bytes=4 * MIB
)
# Calls that do not fit what is called, names and attributes that are not there: errors when the line is reached.
RULES = frozenset(
    (
        "abstract", "arg-type", "attr-defined", "await-not-async", "call-arg", "call-overload", "index", "name-defined",
        "not-callable", "operator", "override", "return", "return-value", "syntax", "unused-coroutine",
        "used-before-def",
    )
)  # fmt: skip
_LINE = re.compile(r"^(?P<path>[^:\n]+):(?P<line>\d+):(?:\d+:)? error: (?P<message>.*?)  \[(?P<rule>[\w-]+)\]$")
_ARGUMENTS = (
    "--config-file=", "--no-incremental", "--cache-dir=/dev/null", "--no-error-summary", "--hide-error-context",
    "--no-pretty", "--no-color-output", "--show-error-codes", "--check-untyped-defs", "--ignore-missing-imports",
    "--namespace-packages", "--explicit-package-bases", "--implicit-reexport", "--implicit-optional",
    "--no-site-packages",
)  # fmt: skip


async def check_types(subject: Subject) -> CheckResult:
    """FAILED where a call, an attribute or a name cannot be right. Files of tests are looked at too."""
    paths = sorted(subject.own_files(".py"))
    if not paths:
        return not_applicable(NAME, "no Python files")
    arguments = [word for word in _ARGUMENTS if word != "--no-site-packages" or not subject.environment.python]
    if subject.environment.python:
        arguments += ["--python-executable", "{python}"]
    roots = sorted({root_of(path, subject.files) for path in paths} | {""})
    path = ":".join(root or "." for root in roots)
    run = await subject.run(
        ["{tools}/bin/python", "-I", "-m", "mypy", *arguments, "--", *paths],
        LIMITS,
        environment={"MYPYPATH": path},
        tools="types",
    )
    if run.limit:
        return stopped(NAME, run.limit, LIMITS, run.duration_s)
    if run.exit_code not in (0, 1, 2):
        return unchecked(NAME, f"mypy ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    findings = _findings(run.stdout, subject.files)
    if run.exit_code == 2 and not findings:
        return unchecked(NAME, f"mypy could not check the files: {(run.stdout or run.stderr).strip()[-150:]}")
    return result(NAME, findings, run.duration_s)


def _findings(output: str, files: Mapping[str, bytes]) -> list[Finding]:
    found = []
    for text in output.splitlines():
        match = _LINE.match(text)
        if match and match["path"] in files and match["rule"] in RULES:
            found.append(
                Finding(
                    validator=NAME,
                    path=match["path"],
                    line=int(match["line"]),
                    rule=match["rule"],
                    message=clean(match["message"]),
                )
            )
    return found
