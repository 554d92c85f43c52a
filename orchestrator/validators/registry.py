"""All validators by name, and how they are run over one workspace."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from orchestrator.domain.apps import Architecture, UserCommand
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import CheckResult
from orchestrator.validators.app_check import check_app_start
from orchestrator.validators.commands_check import check_commands
from orchestrator.validators.environments.environment import NOTHING, Environment
from orchestrator.validators.format_checks import check_html, check_openapi, check_sql, check_toml, check_yaml
from orchestrator.validators.import_check import check_imports
from orchestrator.validators.json_check import check_json
from orchestrator.validators.node_checks import check_npm_build, check_scripts, check_typescript
from orchestrator.validators.node_tests import check_npm_test
from orchestrator.validators.pytest_check import check_pytest
from orchestrator.validators.results import unchecked
from orchestrator.validators.ruff_check import check_ruff
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.secrets_check import check_secrets
from orchestrator.validators.shell_checks import check_dockerfile, check_shell
from orchestrator.validators.static_checks import check_length, check_python_syntax
from orchestrator.validators.subject import Subject
from orchestrator.validators.types_check import check_types


class _Validator(NamedTuple):
    """A check; whether it runs in the sandbox, and whether it needs what the files' manifests ask for."""

    check: Callable[[Subject], Awaitable[CheckResult]]
    sandboxed: bool = True
    with_packages: bool = False


async def _length(subject: Subject) -> CheckResult:
    return check_length(subject.files, subject.own)


async def _python_syntax(subject: Subject) -> CheckResult:
    return await asyncio.to_thread(check_python_syntax, subject.files, subject.own)


async def _json_schema(subject: Subject) -> CheckResult:
    return await check_json(subject.files, subject.own)


async def _ruff(subject: Subject) -> CheckResult:
    return await check_ruff(subject.files, subject.own, subject.sandbox)


async def _dependencies(subject: Subject) -> CheckResult:
    return subject.environment.verdict(frozenset(subject.own))


_VALIDATORS: dict[str, _Validator] = {
    "length": _Validator(_length, sandboxed=False),
    "python_syntax": _Validator(_python_syntax, sandboxed=False),
    "json_schema": _Validator(_json_schema, sandboxed=False),
    "dependencies": _Validator(_dependencies, sandboxed=False),
    "ruff": _Validator(_ruff),
    "yaml": _Validator(check_yaml),
    "toml": _Validator(check_toml),
    "html": _Validator(check_html),
    "sql": _Validator(check_sql),
    "openapi": _Validator(check_openapi),
    "shell": _Validator(check_shell),
    "dockerfile": _Validator(check_dockerfile),
    "secrets": _Validator(check_secrets, sandboxed=False),
    "node_check": _Validator(check_scripts),
    "tsc": _Validator(check_typescript, with_packages=True),
    "npm_build": _Validator(check_npm_build, with_packages=True),
    "npm_test": _Validator(check_npm_test, with_packages=True),
    "mypy": _Validator(check_types, with_packages=True),
    "import_smoke": _Validator(check_imports, with_packages=True),
    "pytest": _Validator(check_pytest, with_packages=True),
    "app_start": _Validator(check_app_start, with_packages=True),
    "commands": _Validator(check_commands, with_packages=True),
}
VALIDATORS: tuple[str, ...] = tuple(_VALIDATORS)


def needs_packages(validators: Sequence[str]) -> bool:
    """Whether any of these validators looks at what the files' manifests ask for."""
    return any(
        name == "dependencies" or (name in _VALIDATORS and _VALIDATORS[name].with_packages) for name in validators
    )


async def check_files(
    files: Mapping[str, bytes],
    own: frozenset[str],
    validators: Sequence[str],
    sandbox: Sandbox,
    *,
    environment: Environment = NOTHING,
    architecture: Architecture | None = None,
    commands: Sequence[UserCommand] = (),
) -> list[CheckResult]:
    """Run `validators` over `files` side by side; one result each, in the order asked.

    Static checks look at `own` paths only (all if empty); what runs the software looks at everything, with the
    packages of `environment`. A validator that is unknown or cannot run here is UNCHECKED with the reason; this
    never raises for what the files contain.
    """
    subject = Subject(
        files, sorted(own or files), sandbox, environment, architecture, tuple(commands), tuple(validators)
    )
    return list(await asyncio.gather(*(_check(name, subject) for name in validators)))


async def _check(name: str, subject: Subject) -> CheckResult:
    validator = _VALIDATORS.get(name)
    if validator is None:
        return unchecked(name, f"unknown validator; known are {', '.join(VALIDATORS)}")
    if validator.sandboxed and not subject.sandbox.kind:
        return unchecked(name, f"code is not run without a sandbox: {subject.sandbox.reason}")
    if validator.with_packages and subject.environment.unavailable:
        return unchecked(name, f"packages could not be installed: {subject.environment.unavailable}")
    began_s = time.monotonic()
    try:
        checked = await validator.check(subject)
        return checked.model_copy(update={"duration_s": round(time.monotonic() - began_s, 3)})
    except PrerequisiteError as error:
        return unchecked(name, str(error))
