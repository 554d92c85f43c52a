"""JavaScript and TypeScript: files parse, types fit, and the build passes; with Node in the sandbox."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.apps import AppType
from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.app_plan import package_json, uses_next
from orchestrator.validators.format_checks import finding_of
from orchestrator.validators.inside import script
from orchestrator.validators.limits import SandboxRun
from orchestrator.validators.node_package import (
    LIMITS,
    NOT_FOUND,
    NodePackage,
    failure,
    node_packages,
    plain,
    run_in,
)
from orchestrator.validators.results import not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject

_TSC = re.compile(
    r"^(?P<path>[^\s(][^(\n]*)\((?P<line>\d+),\d+\): error (?P<rule>TS\d+): (?P<message>.*)$", re.MULTILINE
)
_TSC_COMMAND = ("npx", "--no-install", "tsc", "--noEmit", "--pretty", "false")
_JSX = re.compile(rb"<[A-Za-z][^<>]*/?>")
_BUILD = ("npm", "run", "build")


async def check_scripts(subject: Subject) -> CheckResult:
    """JavaScript files parse, as `node --check` sees it; JSX is left to the build."""
    name = "node_check"
    paths = [path for path in sorted(subject.own_files(".js", ".mjs", ".cjs")) if not _holds_jsx(path, subject)]
    if not paths:
        return not_applicable(name, "no JavaScript files")
    items = json.dumps([{"path": path, "kind": _kind(path, subject.files)} for path in paths])
    command = ["node", "--experimental-vm-modules", "--no-warnings", "-e", script("check_scripts.js"), items]
    run = await subject.sandbox.run(command, {path: subject.files[path] for path in paths}, LIMITS)
    if run.limit:
        return stopped(name, run.limit, LIMITS, run.duration_s)
    if run.exit_code == NOT_FOUND:
        return unchecked(name, "Node.js is not installed")
    try:
        findings = [finding_of(name, item, subject.files) for item in json.loads(run.stdout)]
    except (ValueError, TypeError, KeyError):
        return unchecked(name, f"node ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    return result(name, findings, run.duration_s)


async def check_typescript(subject: Subject) -> CheckResult:
    """The compiler accepts all that each tsconfig.json covers; it must be among the project's own packages."""
    name = "tsc"
    packages = [package for package in node_packages(subject) if package.inside("tsconfig.json") in subject.files]
    if not packages:
        return not_applicable(name, "no tsconfig.json beside a package.json")
    findings: list[Finding] = []
    duration_s = 0.0
    for package in packages:
        modules = subject.environment.node.get(package.folder)
        if modules is None or not (modules / "typescript").is_dir():
            message = "there is a tsconfig.json, and no typescript among the packages: add it to devDependencies"
            findings.append(Finding(validator=name, path=package.path, rule="no-typescript", message=message))
            continue
        if package.needs("next"):  # writes declarations that pages refer to
            command = ["/bin/sh", "-c", f"npx --no-install next typegen >&2; exec {' '.join(_TSC_COMMAND)}"]
        else:
            command = list(_TSC_COMMAND)
        run = await run_in(subject, package, command)
        if run.limit:
            return stopped(name, run.limit, LIMITS, run.duration_s)
        duration_s += run.duration_s
        if run.exit_code:
            errors = _compiler_errors(name, run, package, subject.files)
            findings += errors or [failure(name, "failed", _TSC_COMMAND, run, package, subject)]
    return result(name, findings, round(duration_s, 3))


async def check_npm_build(subject: Subject) -> CheckResult:
    """`npm run build` passes in each folder whose package.json has that script."""
    name = "npm_build"
    packages = [package for package in node_packages(subject) if package.script("build")]
    if not packages:
        return not_applicable(name, "no package.json with a build script")
    if "app_start" in subject.validators and _is_next(subject) and not packages[0].folder and len(packages) == 1:
        return not_applicable(name, "app_start builds it")
    findings: list[Finding] = []
    duration_s = 0.0
    for package in packages:
        run = await run_in(subject, package, _BUILD)
        if run.limit:
            return stopped(name, run.limit, LIMITS, run.duration_s)
        if run.exit_code == NOT_FOUND and "npm" in run.stderr:
            return unchecked(name, "npm is not installed")
        duration_s += run.duration_s
        if run.exit_code:
            findings.append(failure(name, "build-failed", _BUILD, run, package, subject))
    return result(name, findings, round(duration_s, 3))


def _compiler_errors(name: str, run: SandboxRun, package: NodePackage, files: Mapping[str, bytes]) -> list[Finding]:
    found = []
    for match in _TSC.finditer(plain(run.stdout)):
        item: dict[str, Any] = {**match.groupdict(), "path": package.inside(match["path"]), "line": int(match["line"])}
        found.append(finding_of(name, item, files))
    return found


def _holds_jsx(path: str, subject: Subject) -> bool:
    """Whether a script holds markup that a build tool of its package translates."""
    if not _JSX.search(subject.files[path]):
        return False
    return any(package.needs("react") for package in node_packages(subject) if package.holds(path))


def _kind(path: str, files: Mapping[str, bytes]) -> str:
    """What the file's name or the nearest package.json says of it; empty where neither does."""
    if path.endswith((".mjs", ".cjs")):
        return "module" if path.endswith(".mjs") else "script"
    folders = ["" if str(folder) == "." else str(folder) for folder in PurePosixPath(path).parents]
    above = next((folder for folder in folders if f"{folder}/package.json".lstrip("/") in files), None)
    said = "" if above is None else str(package_json(files, above).get("type"))
    return {"module": "module", "commonjs": "script"}.get(said, "")


def _is_next(subject: Subject) -> bool:
    architecture = subject.architecture
    return architecture.app_type is AppType.NEXTJS if architecture else uses_next(subject.files)
