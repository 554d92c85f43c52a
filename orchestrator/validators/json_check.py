"""JSON files parse, schemas are valid, and `x.json` satisfies the `x.schema.json` beside it."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.limits import Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.static_checks import MAX_FILE_BYTES

_NAME = "json_schema"
_SCHEMA_SUFFIX = ".schema.json"
_LIMITS = Limits(wall_s=10, cpu_s=10)


async def check_json(files: Mapping[str, bytes], own: Iterable[str]) -> CheckResult:
    """A pair of document and schema is checked if either of them is own."""
    mine = {path for path in own if path in files and path.endswith(".json")}
    if not mine:
        return not_applicable(_NAME, "no JSON files")
    findings = [finding for path in sorted(mine) if (finding := _parse_problem(path, files[path]))]
    broken = {finding.path for finding in findings}
    documents: dict[str, str] = {}
    for schema in (path for path in files if path.endswith(_SCHEMA_SUFFIX)):
        document = schema.removesuffix(_SCHEMA_SUFFIX) + ".json"
        pair = [path for path in (schema, document) if path in files]
        if mine & set(pair) and not broken & set(pair) and not any(_parse_problem(p, files[p]) for p in pair):
            documents.update({path: files[path].decode("utf-8-sig") for path in pair})
    if not documents:
        return result(_NAME, findings)
    return await _validate(documents, findings)


def _parse_problem(path: str, content: bytes) -> Finding | None:
    def finding(message: str, line: int = 0) -> Finding:
        return Finding(validator=_NAME, path=path, line=line, rule="invalid-json", message=clean(message))

    if len(content) > MAX_FILE_BYTES:
        return finding(f"{len(content):,} bytes are too many to be checked")
    try:
        json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return finding(error.msg, error.lineno)
    except UnicodeDecodeError:
        return finding("not UTF-8")
    except RecursionError:
        return finding("nested too deeply")
    except ValueError as error:
        return finding(str(error))
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


async def _validate(documents: Mapping[str, str], findings: list[Finding]) -> CheckResult:
    worker = str(Path(__file__).with_name("json_worker.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        worker,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"LANG": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(_LIMITS.wall_s):
            stdout, stderr = await process.communicate(json.dumps(documents).encode())
    except TimeoutError:
        return stopped(_NAME, "wall", _LIMITS, _LIMITS.wall_s, "a schema's pattern may never end")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = stderr.decode(errors="replace").strip().splitlines()
        return unchecked(_NAME, f"the schema check ended early: {lines[-1] if lines else process.returncode}")
    found = [
        Finding(validator=_NAME, path=item["path"], rule=item["rule"], message=clean(item["message"]))
        for item in json.loads(stdout)
    ]
    return result(_NAME, findings + [finding for finding in found if finding.path in documents])
