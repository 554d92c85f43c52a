"""Each own module is imported in the sandbox, as a first user of it would."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.inside import script
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.pytest_check import is_test_file
from orchestrator.validators.results import clean, not_applicable, result, stopped
from orchestrator.validators.subject import Subject

NAME = "import_smoke"
LIMITS = Limits(wall_s=60, cpu_s=60, memory_bytes=1024 * MIB, processes=256, disk_bytes=64 * MIB, output_bytes=MIB)
_REPORT = ".orch-import-report"
# run by hand, by a packager or by a tool, never imported by others
_NOT_IMPORTED = {
    "__main__.py",
    "conftest.py",
    "setup.py",
    "noxfile.py",
    "fabfile.py",
    "manage.py",
    "wsgi.py",
    "asgi.py",
}
_SCRIPT_FOLDERS = {
    "scripts",
    "examples",
    "docs",
    "bin",
    "tests",
    "test",
    "migrations",
    "alembic",
    "versions",
    "benchmarks",
}
_ROOT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")


async def check_imports(subject: Subject) -> CheckResult:
    """FAILED where a module cannot be imported, ends the process, or does not come back."""
    modules = importable(subject.files, subject.own)
    if not modules:
        return not_applicable(NAME, "no modules to import")
    plan = json.dumps({"modules": modules, "roots": _roots(subject.files)})
    run = await subject.run(
        ["{python}", "-c", script("import_modules.py"), plan, f"{{tmp}}/{_REPORT}"], LIMITS, collect=[_REPORT]
    )
    events = _events(run.files.get(_REPORT, b""))
    begun = [str(event["begin"]) for event in events if "begin" in event]
    if run.limit:
        return stopped(NAME, run.limit, LIMITS, run.duration_s, clean(begun[-1]) if begun else "")
    findings = [_finding(event, subject.files) for event in events if "error" in event]
    if not any("end" in event for event in events):
        path = begun[-1] if begun else ""
        message = f"importing it ended the process with exit code {run.exit_code}\n{run.stderr[-1000:]}"
        findings.append(
            Finding(validator=NAME, path=path if path in subject.files else "", rule="crash", message=clean(message))
        )
    return result(NAME, findings, run.duration_s)


def importable(files: Mapping[str, bytes], own: object) -> list[list[str]]:
    """Path, module name and the folder that the name starts from, for each own module that others may import."""
    mine = set(own) if isinstance(own, list | tuple | set | frozenset) else set(files)
    found = []
    for path in sorted(path for path in files if path in mine and path.endswith(".py")):
        pure = PurePosixPath(path)
        if pure.name in _NOT_IMPORTED or is_test_file(path) or set(pure.parts[:-1]) & _SCRIPT_FOLDERS:
            continue
        root = root_of(path, files)
        parts = pure.with_suffix("").parts[len(PurePosixPath(root).parts) :]
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts and all(part.isidentifier() for part in parts):
            found.append([path, ".".join(parts), root])
    return found


def root_of(path: str, files: Mapping[str, bytes]) -> str:
    """The folder that a module's name starts from: the nearest one that holds a manifest, or `src` below it."""
    root = ""
    for folder in reversed(PurePosixPath(path).parents):
        name = "" if str(folder) == "." else str(folder)
        prefix = f"{name}/" if name else ""
        if any(f"{prefix}{mark}" in files for mark in _ROOT_MARKS):
            root = name
        if folder.name == "src" and f"{prefix}__init__.py" not in files:
            root = name
    return root


def _roots(files: Mapping[str, bytes]) -> list[str]:
    return sorted({root_of(path, files) for path in files if path.endswith(".py")})


def _events(data: bytes) -> list[dict[str, Any]]:
    events = []
    for line in data.decode(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut off by a kill, or written by the checked code
        if isinstance(event, dict):
            events.append(event)
    return events


def _finding(event: dict[str, Any], files: Mapping[str, bytes]) -> Finding:
    place, line = str(event.get("path", "")), event.get("line")
    known = place in files
    rule = "missing-import" if event.get("missing") else "exits" if event.get("exits") else "import-error"
    return Finding(
        validator=NAME,
        path=place if known else "",
        line=line if known and isinstance(line, int) and line > 0 else 0,
        rule=rule,
        message=clean(f"cannot import {event.get('module', '')}: {event['error']}"),
    )
