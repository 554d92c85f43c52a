"""ruff over the own Python files, with fixed rules that the checked project cannot change."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.sandbox import Sandbox

LIMITS = Limits(wall_s=30, cpu_s=30, memory_bytes=512 * MIB, processes=64, disk_bytes=64 * MIB, output_bytes=4 * MIB)
_ARGUMENTS = (
    "check", "--isolated", "--no-cache", "--output-format=json", "--select=E,F", "--ignore=E501,E402",
    "--target-version=py311", "--quiet", "--",
)  # fmt: skip


async def check_ruff(files: Mapping[str, bytes], own: Iterable[str], sandbox: Sandbox) -> CheckResult:
    """Rules E and F, without line length (E501) and imports after code (E402)."""
    paths = [path for path in own if path in files and path.endswith(".py")]
    if not paths:
        return not_applicable("ruff", "no Python files")
    sources = {path: files[path] for path in paths}
    run = await sandbox.run(["{tools}/bin/ruff", *_ARGUMENTS, *paths], sources, LIMITS)
    if run.limit:
        return stopped("ruff", run.limit, LIMITS, run.duration_s)
    try:
        reported = json.loads(run.stdout)
        findings = [_finding(item, paths) for item in reported]
    except (ValueError, TypeError, KeyError):
        return unchecked("ruff", f"ruff ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    return result("ruff", findings, run.duration_s)


def _finding(item: dict[str, Any], paths: list[str]) -> Finding:
    reported = str(item["filename"])
    path = next((path for path in paths if reported.endswith(f"/{path}")), "")
    return Finding(
        validator="ruff",
        path=path,
        line=int(item["location"]["row"]),
        rule=clean(item.get("code") or "invalid-syntax"),
        message=clean(item["message"]),
    )
