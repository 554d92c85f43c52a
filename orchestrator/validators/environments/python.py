"""Virtual environments of checked Python code: built once per set of requirements, by uv or else by pip."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from orchestrator.domain.apps import Dependencies, DependencyPolicy
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import Finding
from orchestrator.settings import Settings
from orchestrator.validators.bubblewrap import TOOLS
from orchestrator.validators.environments.cache import remove_unused
from orchestrator.validators.environments.environment import Environment
from orchestrator.validators.environments.installer import (
    MAX_BYTES,
    Installed,
    install,
    passed_on,
    ready,
    remove,
    size_of,
)
from orchestrator.validators.environments.packages import brought_along, installed, modules, site_packages
from orchestrator.validators.environments.requirements import NAME
from orchestrator.validators.environments.wishes import Wishes, finding, pins, refusal, undeclared
from orchestrator.validators.results import clean
from orchestrator.validators.tools import ToolEnvironment

_UNSATISFIABLE = 1  # uv: no solution; what else goes wrong is 2
_ABSENT = re.compile(r"was not found in the package registry|from versions: none\)")
_NO_WHEEL = re.compile(
    r"no (usable|compatible)? ?wheels|no-build|no wheels with a matching|No binaries permitted", re.IGNORECASE
)
_UNREACHABLE = re.compile(  # how pip, which exits in one way only, speaks of an index that does not answer
    r"Retrying \(Retry|Could not fetch URL [^\n]*: (?:connection error|timed out|There was a problem|5\d\d )"
)
_DIAGNOSED_AT_ONCE = 4
_MANIFESTS = ("pyproject.toml", "requirements.txt")
_TOOLS_LINK = "orch-tools.pth"


class PythonEnvironments:
    """Environments below the cache folder. Only wheels are installed: building a package runs its code."""

    def __init__(self, settings: Settings, tools: ToolEnvironment) -> None:
        self._folder = settings.cache_dir / "environments"
        self._tools = tools
        self._uv = tools.others["installer"]
        self._environment = {"UV_SYSTEM_CERTS": "true", **passed_on(settings.environment)}
        self._environment |= _index_of_pip(self._environment)
        self._refused: dict[str, list[Finding]] = {}  # what could not be resolved, by what was asked for
        self._gone: dict[str, set[str]] = {}

    async def ensure(self, wishes: Wishes, policy: DependencyPolicy, files: Mapping[str, bytes]) -> Environment:
        """What `wishes` of `files` ask for. Raises PrerequisiteError where nothing can be installed now."""
        findings = list(wishes.findings)
        root = None
        while wishes.wanted:
            asked = self._key(wishes, policy)
            root = self._folder / f"python-{asked}"
            if asked not in self._refused and await ready(
                root, partial(_usable, root), partial(self._build, root, wishes, policy, asked)
            ):
                break
            findings += self._refused[asked]
            wishes, root = wishes.without(self._gone[asked]), None
        found = installed(root) if root else {}
        findings += _unknown(wishes, modules(root) if root else set())
        if denied := _denied(found, policy):
            findings, root = [*findings, *denied], None
        resolved = _resolved(wishes, found, root)
        return Environment(
            python=root,
            packages=found,
            findings=tuple(findings),
            undeclared=tuple(
                undeclared(wishes.wanted[name][0].path, files, _MANIFESTS, line) for name, line in resolved.items()
            ),
            resolved=Dependencies(python=tuple(resolved.values())),
        )

    def _key(self, wishes: Wishes, policy: DependencyPolicy) -> str:
        identity = [wishes.lines(), sorted(pins(policy).items()), sys.version, sys.base_prefix, str(self._tools.root)]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]

    async def _build(self, root: Path, wishes: Wishes, policy: DependencyPolicy, asked: str) -> bool:
        draft = root.with_suffix(".new")
        for leftover in (draft, root):
            await asyncio.to_thread(remove, leftover)
        uv = await self._find_uv()
        made = await install(_venv(uv, draft), self._environment, self._folder)
        if made.exit_code:
            raise PrerequisiteError(f"cannot make a virtual environment: {_last_line(made.said)}")
        (draft / "requirements.txt").write_text("\n".join(wishes.lines()) + "\n")
        constraints = [f"{name}=={version}" for name, version in pins(policy).items()]
        (draft / "constraints.txt").write_text("\n".join(constraints) + "\n")
        done = await install(_install(uv, draft), self._environment, draft)
        if done.exit_code:
            await self._note_refused(done, uv, draft, wishes, asked)
            await asyncio.to_thread(remove, draft)
            return False
        if await asyncio.to_thread(size_of, draft) > MAX_BYTES:
            await asyncio.to_thread(remove, draft)
            message = f"the requirements take more than {MAX_BYTES // 1024**3} GiB when installed"
            self._note(asked, [Finding(validator=NAME, rule="too-large", message=message)], set(wishes.wanted))
            return False
        self._finish(draft)
        draft.rename(root)
        await asyncio.to_thread(remove_unused, self._folder)
        return True

    def _finish(self, draft: Path) -> None:
        """Programs find the interpreter wherever the environment is mounted, and the tools come behind its packages."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        places = [f"{root}/lib/{version}/site-packages" for root in (TOOLS, self._tools.root)]
        (site_packages(draft) / _TOOLS_LINK).write_text("\n".join(places) + "\n")
        own = rb"[^\n]*" + re.escape(os.fsencode(draft)) + rb"[^\n]*\n"
        first_lines = re.compile(rb"\A#!(?:" + own + rb"|/bin/sh\n'''exec'" + own + rb"' '''\n)")
        for program in (draft / "bin").iterdir():
            if program.is_file() and not program.is_symlink():
                content = program.read_bytes()
                if first_lines.match(content):
                    program.write_bytes(first_lines.sub(b"#!/usr/bin/env python\n", content, count=1))
        draft.chmod(0o755)

    async def _find_uv(self) -> str:
        """uv on the path, or our own pinned one; empty where neither is to be had, so that pip must do."""
        on_path = shutil.which("uv", path=self._environment.get("PATH"))
        if on_path:
            return on_path
        try:
            return str(await self._uv.ensure() / "bin" / "uv")
        except PrerequisiteError:
            return ""

    async def _note_refused(self, done: Installed, uv: str, draft: Path, wishes: Wishes, asked: str) -> None:
        """Find out which requirements cannot be had. Raises PrerequisiteError where the index does not answer."""
        _require_answer(done, uv)
        names = list(wishes.wanted)
        gate = asyncio.Semaphore(_DIAGNOSED_AT_ONCE)

        async def alone(name: str) -> Finding | None:
            async with gate:
                return await self._diagnosed(uv, draft, wishes, name)

        found = dict(zip(names, await asyncio.gather(*(alone(name) for name in names)), strict=True))
        guilty = {name: item for name, item in found.items() if item}
        if guilty:
            self._note(asked, list(guilty.values()), set(guilty))
            return
        first = next(iter(wishes.wanted.values()))[0]
        message = f"the requirements cannot be installed together: {_summary(done.said)}"
        self._note(asked, [finding(first, "conflict", message)], set(names))

    async def _diagnosed(self, uv: str, draft: Path, wishes: Wishes, name: str) -> Finding | None:
        """What is wrong with the requirements of one distribution by themselves."""
        items = wishes.wanted[name]
        lines = [str(item.requirement) for item in items]
        if uv:
            command = [uv, "pip", "install", "--dry-run", "--reinstall", "--no-deps", "--only-binary", ":all:"]
            command += ["--python", str(draft / "bin" / "python"), "--", *lines]
        else:
            command = [*_pip(draft), "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", *lines]
        done = await install(command, self._environment, draft)
        if not done.exit_code:
            return None
        _require_answer(done, uv)
        rule = "no-wheel" if _NO_WHEEL.search(f"{done.stdout}\n{done.stderr}") else "no-such-version"
        if rule != "no-wheel" and _ABSENT.search(done.said):
            message = f"{items[0].requirement.name} does not exist in the package index"
            return finding(items[0], "no-such-distribution", message)
        return finding(items[0], rule, f"{' and '.join(lines)} cannot be installed: {_summary(done.said)}")

    def _note(self, asked: str, findings: list[Finding], gone: set[str]) -> None:
        self._refused[asked], self._gone[asked] = findings, gone


def _require_answer(done: Installed, uv: str) -> None:
    """Raises PrerequisiteError where an installer failed because the index did not answer."""
    if (uv and done.exit_code != _UNSATISFIABLE) or _UNREACHABLE.search(f"{done.stdout}\n{done.stderr}"):
        raise PrerequisiteError(f"the package index cannot be used: {_summary(done.said)}")


def _usable(root: Path) -> bool:
    return os.path.exists(root / "bin" / "python")


def _venv(uv: str, draft: Path) -> list[str]:
    interpreter = os.path.realpath(sys.executable)
    if uv:
        return [uv, "venv", "-q", "--no-project", "--python", interpreter, str(draft)]
    return [interpreter, "-m", "venv", str(draft)]


def _install(uv: str, draft: Path) -> list[str]:
    files = ["--only-binary", ":all:", "-r", "requirements.txt", "-c", "constraints.txt"]
    if uv:
        python = ["--python", str(draft / "bin" / "python")]
        return [uv, "pip", "install", "-q", "--compile-bytecode", *python, *files]
    return [*_pip(draft), *files]


def _pip(draft: Path) -> list[str]:
    return [str(draft / "bin" / "python"), "-m", "pip", "install", "-vv", "--disable-pip-version-check", "--no-input"]


def _index_of_pip(environment: dict[str, str]) -> dict[str, str]:
    """uv's names for the index that pip is told to use, where uv is not told one."""
    if "UV_DEFAULT_INDEX" in environment or "UV_INDEX_URL" in environment or "PIP_INDEX_URL" not in environment:
        return {}
    found = {"UV_DEFAULT_INDEX": environment["PIP_INDEX_URL"]}
    if "UV_INDEX" not in environment and "PIP_EXTRA_INDEX_URL" in environment:
        found["UV_INDEX"] = environment["PIP_EXTRA_INDEX_URL"]
    return found


def _unknown(wishes: Wishes, provided: set[str]) -> list[Finding]:
    """Imports that no distribution is known for, once per module, unless something installed brings them."""
    missing = {item.top: item for item in reversed(wishes.unknown) if item.top not in provided}
    return [
        finding(
            item,
            "unknown-import",
            f"nothing provides {item.top!r}: no file, no declared dependency, and no well-known package of that name; "
            "declare the distribution that it comes from",
        )
        for item in reversed(missing.values())
    ]


def _denied(found: dict[str, str], policy: DependencyPolicy) -> list[Finding]:
    """Distributions that came along with others although the policy denies them."""
    return [
        Finding(
            validator=NAME,
            rule="denied",
            message=clean(f"{name} is denied by the policy, and another package needs it"),
        )
        for name in found
        if refusal(name, policy, direct=False)
    ]


def _resolved(wishes: Wishes, found: dict[str, str], root: Path | None) -> dict[str, str]:
    """Requirements to publish for resolved imports, by name: at least the version that was checked.

    What declared packages bring along needs no declaration of its own: pydantic comes with FastAPI.
    """
    if root is None:
        return {}
    declared = (
        item.requirement for name, items in wishes.wanted.items() if name not in wishes.resolved for item in items
    )
    lines = {}
    for name in sorted((wishes.resolved & found.keys()) - brought_along(root, declared)):
        requirement = wishes.wanted[name][0].requirement
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        lines[name] = f"{requirement.name}{extras}{requirement.specifier or f'>={found[name]}'}"
    return lines


def _last_line(said: str) -> str:
    lines = said.splitlines()
    return clean(lines[-1])[:200] if lines else "no output"


def _summary(said: str) -> str:
    """The errors among what an installer said, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "cause", "because"))]
    return clean(" ".join(errors or lines[-3:]))[:500]
