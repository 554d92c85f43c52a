"""Files of well-known formats are read by their parsers, inside the sandbox: a parser of hostile text may never end."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.inside import script
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject
from orchestrator.validators.tools import BASE

LIMITS = Limits(wall_s=60, cpu_s=60, memory_bytes=1024 * MIB, processes=64, disk_bytes=64 * MIB, output_bytes=4 * MIB)
_FORMATS = "formats"
_OPENAPI = re.compile(rb"""^\s*[{]?\s*['"]?(openapi|swagger)['"]?\s*:\s*['"]?\d""", re.MULTILINE)
_HEAD_BYTES = 4096


async def check_yaml(subject: Subject) -> CheckResult:
    """YAML files are well-formed and have no key twice."""
    return await _checked("yaml", subject, sorted(subject.own_files(".yaml", ".yml")))


async def check_toml(subject: Subject) -> CheckResult:
    """TOML files are well-formed."""
    return await _checked("toml", subject, sorted(subject.own_files(".toml")), BASE)


async def check_html(subject: Subject) -> CheckResult:
    """Pages parse without errors of the HTML standard, and have a title."""
    return await _checked("html", subject, sorted(subject.own_files(".html", ".htm")))


async def check_sql(subject: Subject) -> CheckResult:
    """SQL files are accepted by some well-known dialect."""
    return await _checked("sql", subject, sorted(subject.own_files(".sql")))


async def check_openapi(subject: Subject) -> CheckResult:
    """Descriptions of APIs hold what their version of OpenAPI asks for."""
    return await _checked("openapi", subject, openapi_files(subject.own_files(".yaml", ".yml", ".json")))


def openapi_files(files: Mapping[str, bytes]) -> list[str]:
    """Those of the files that describe an API, by their first key or their name."""
    named = {path for path in files if PurePosixPath(path).stem in ("openapi", "swagger")}
    return sorted(named | {path for path, content in files.items() if _OPENAPI.match(content[:_HEAD_BYTES])})


async def _checked(name: str, subject: Subject, paths: Sequence[str], tools: str = _FORMATS) -> CheckResult:
    if not paths:
        return not_applicable(name, f"no {name} files")
    command = ["{tools}/bin/python", "-I", "-c", script("read_formats.py"), name, json.dumps(list(paths))]
    files = {path: subject.files[path] for path in paths}
    run = await subject.sandbox.run(command, files, LIMITS, tools=tools)
    if run.limit:
        return stopped(name, run.limit, LIMITS, run.duration_s)
    try:
        findings = [finding_of(name, item, subject.files) for item in json.loads(run.stdout)]
    except (ValueError, TypeError, KeyError):
        return unchecked(name, f"the parser ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    return result(name, findings, run.duration_s)


def finding_of(name: str, item: dict[str, Any], files: Mapping[str, bytes]) -> Finding:
    """A finding of what a program inside the sandbox printed."""
    path, line = str(item["path"]), item.get("line")
    return Finding(
        validator=name,
        path=path if path in files else "",
        line=line if isinstance(line, int) and line > 0 else 0,
        rule=clean(item.get("rule", "")),
        message=clean(item["message"]),
    )
