"""The software is really started in the sandbox: it answers on loopback, or `--help`, or its pages are there."""

import asyncio
import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.domain.app_entry import located
from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.app_plan import AppKind, AppPlan, app_plan
from orchestrator.validators.import_check import check_imports
from orchestrator.validators.inside import script
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject

NAME = "app_start"
LIMITS = Limits(wall_s=90, cpu_s=120, memory_bytes=1024 * MIB, processes=512, disk_bytes=256 * MIB, output_bytes=MIB)
BUILD_LIMITS = Limits(
    wall_s=420, cpu_s=800, memory_bytes=3072 * MIB, processes=1024, disk_bytes=1024 * MIB, output_bytes=4 * MIB
)
START_TIMEOUT_S = 45.0
_REPORT = ".orch-app-report"
_FRAME = re.compile(r'File "(?:/[^"]*?/workspace/|/workspace/)([^"]+)", line (\d+)')
_SAID_CHARS = 1400


async def check_app_start(subject: Subject) -> CheckResult:
    """FAILED where an HTTP app does not answer, a command does not tell its use, a page or a module is missing."""
    decided = located(subject.architecture, subject.files) if subject.architecture else None
    plan = await asyncio.to_thread(app_plan, subject.files, decided)
    match plan.kind:
        case AppKind.NONE:
            return not_applicable(NAME, "nothing to start")
        case AppKind.LIBRARY:
            imported = await check_imports(dataclasses.replace(subject, own=tuple(subject.files)))
            findings = tuple(finding.model_copy(update={"validator": NAME}) for finding in imported.findings)
            return imported.model_copy(update={"validator": NAME, "findings": findings})
        case AppKind.SITE:
            return await _probed(subject, plan, LIMITS)
        case AppKind.HTTP | AppKind.COMMAND:
            if not plan.start:
                what = "an application object" if plan.kind is AppKind.HTTP else "a program that can be started"
                return result(NAME, [Finding(validator=NAME, rule="no-entry-point", message=f"no file holds {what}")])
            return await _probed(subject, plan, BUILD_LIMITS if plan.build else LIMITS)


async def _probed(subject: Subject, plan: AppPlan, limits: Limits) -> CheckResult:
    task = {
        "kind": plan.kind.value,
        "start": list(plan.start),
        "build": list(plan.build),
        "folder": plan.folder,
        "entry": plan.entry,
        "environment": {**_example_environment(subject.files), **plan.environment},
        "pages": list(plan.pages),
        "pages_exist": plan.pages_exist,
        "timeout_s": START_TIMEOUT_S,
    }
    command = ["{python}", "-c", script("start_app.py"), json.dumps(task), f"{{tmp}}/{_REPORT}"]
    run = await subject.run(command, limits, collect=[_REPORT])
    reports = _read(run.files.get(_REPORT, b""))
    last = reports[-1] if reports else {}
    if run.limit:
        return stopped(NAME, run.limit, limits, run.duration_s, clean(last.get("doing", "")))
    if run.exit_code or not last.get("done"):
        return unchecked(NAME, f"the probe ended with exit code {run.exit_code}: {run.stderr[-150:]}")
    problems = [item for report in reports for item in _problems(report)]
    findings = list(dict.fromkeys(_finding(item, plan, subject.files) for item in problems))
    return result(NAME, findings, run.duration_s)


def _read(data: bytes) -> list[dict[str, Any]]:
    """All that the probe told. The checked code could have written there too, so nothing that was told is dropped."""
    reports = []
    for line in data.decode(errors="replace").splitlines():
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(report, dict):
            reports.append(report)
    return reports


def _problems(report: dict[str, Any]) -> list[dict[str, Any]]:
    problems = report.get("problems")
    return [item for item in problems if isinstance(item, dict)] if isinstance(problems, list) else []


def _finding(item: dict[str, Any], plan: AppPlan, files: Mapping[str, bytes]) -> Finding:
    said = str(item.get("said", ""))
    frames = [(path, int(line)) for path, line in _FRAME.findall(said) if path in files]
    path, line = frames[-1] if frames else (str(item.get("path", "")) or plan.entry, item.get("line", 0))
    return Finding(
        validator=NAME,
        path=path if path in files else "",
        line=line if isinstance(line, int) and line > 0 else 0,
        rule=clean(item.get("rule", "failed")),
        message=clean(f"{item.get('message', '')}\n{said[-_SAID_CHARS:]}".strip()),
    )


def _example_environment(files: Mapping[str, bytes]) -> dict[str, str]:
    """What the project itself gives as example values of its settings."""
    text = files.get(".env.example", b"").decode(errors="replace")
    pairs = (line.partition("=") for line in text.splitlines() if re.match(r"^[A-Za-z_]\w*=", line))
    values = {name: value.strip().strip("\"'") for name, _, value in pairs}
    return {name: value for name, value in values.items() if name != "PATH" and not name.startswith(("LD_", "PYTHON"))}
