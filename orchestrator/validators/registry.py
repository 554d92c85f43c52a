"""All validators by name, and how they are run over one workspace."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import CheckResult
from orchestrator.validators.json_check import check_json
from orchestrator.validators.pytest_check import check_pytest
from orchestrator.validators.results import unchecked
from orchestrator.validators.ruff_check import check_ruff
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.static_checks import check_length, check_python_syntax

_Validator = Callable[[Mapping[str, bytes], Sequence[str], Sandbox], Awaitable[CheckResult]]


async def _length(files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    return check_length(files, own)


async def _python_syntax(files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    return await asyncio.to_thread(check_python_syntax, files, own)


async def _json_schema(files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    return await check_json(files, own)


async def _ruff(files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    return await check_ruff(files, own, sandbox)


async def _pytest(files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    return await check_pytest(files, sandbox)


_VALIDATORS: dict[str, _Validator] = {
    "length": _length,
    "python_syntax": _python_syntax,
    "json_schema": _json_schema,
    "ruff": _ruff,
    "pytest": _pytest,
}
_SANDBOXED = {"ruff", "pytest"}
VALIDATORS: tuple[str, ...] = tuple(_VALIDATORS)


async def check_files(
    files: Mapping[str, bytes], own: frozenset[str], validators: Sequence[str], sandbox: Sandbox
) -> list[CheckResult]:
    """Run `validators` over `files` side by side; one result each, in the order asked.

    Static checks look at `own` paths only (all if empty); pytest looks at everything. A validator that is
    unknown or cannot run here is UNCHECKED with the reason; this never raises for what the files contain.
    """
    paths = sorted(own or files)
    return list(await asyncio.gather(*(_check(name, files, paths, sandbox) for name in validators)))


async def _check(name: str, files: Mapping[str, bytes], own: Sequence[str], sandbox: Sandbox) -> CheckResult:
    validator = _VALIDATORS.get(name)
    if validator is None:
        return unchecked(name, f"unknown validator; known are {', '.join(VALIDATORS)}")
    if name in _SANDBOXED and not sandbox.kind:
        return unchecked(name, f"code is not run without a sandbox: {sandbox.reason}")
    try:
        return await validator(files, own, sandbox)
    except PrerequisiteError as error:
        return unchecked(name, str(error))
