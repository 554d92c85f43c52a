"""Folders of Node packages: installed once per set of packages, by npm, without any script of theirs."""

import asyncio
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from orchestrator.domain.apps import DependencyPolicy
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import Finding
from orchestrator.settings import Settings
from orchestrator.validators.environments.cache import remove_unused
from orchestrator.validators.environments.environment import NODE_CACHES
from orchestrator.validators.environments.installer import (
    MAX_BYTES,
    Installed,
    install,
    passed_on,
    ready,
    remove,
    size_of,
)
from orchestrator.validators.environments.node_manifests import NodeWishes, denied
from orchestrator.validators.results import clean

_RULES = {
    "E404": "no-such-distribution",
    "ETARGET": "no-such-version",
    "ERESOLVE": "conflict",
    "EBADENGINE": "no-such-version",
}
_OUT_OF_DATE = "EUSAGE"  # a lock that does not fit its manifest
_MAX_ROUNDS = 12  # npm names one package at a time that cannot be had
_FLAGS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-progress",
    "--json",
    "--install-strategy=hoisted",
)


class NodeEnvironments:
    """`node_modules` folders below the cache folder. No script of any package runs when it is installed."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.cache_dir / "environments"
        self._environment = passed_on(settings.environment)
        self._npm = shutil.which("npm", path=self._environment.get("PATH"))
        self._refused: dict[str, list[Finding]] = {}
        self._gone: dict[str, set[str]] = {}

    async def ensure(
        self, wishes: NodeWishes, policy: DependencyPolicy
    ) -> tuple[Path | None, list[Finding], list[str]]:
        """The `node_modules` for one package.json, what is wrong with it, and `name@range` of resolved imports.

        Raises PrerequisiteError where nothing can be installed now.
        """
        findings = list(wishes.findings)
        root = None
        for _ in range(_MAX_ROUNDS):
            if not wishes.names:
                break
            asked = self._key(wishes)
            root = self._folder / f"node-{asked}"
            if asked not in self._refused and await self._ready(root, wishes, asked):
                break
            findings += self._refused[asked]
            wishes.without(self._gone[asked])
            root = None
        modules = root / "node_modules" if root else None
        for name, path, line in wishes.unknown:
            if modules is None or not (modules / name).is_dir():
                message = f"nothing provides {name!r}: declare the package that it comes from in {wishes.path}"
                findings.append(
                    wishes.finding(name, "unknown-import", message).model_copy(update={"path": path, "line": line})
                )
        brought = _packages(modules) if modules and policy.denied else []
        refused = [name for name in brought if denied(name, policy)]
        findings += [
            wishes.finding("", "denied", f"{name} is denied by the policy, and another package needs it")
            for name in refused
        ]
        resolved = [f"{name}@^{_version(modules, name)}" for name in sorted(wishes.resolved)] if modules else []
        return (None if refused else modules), findings, resolved

    def _key(self, wishes: NodeWishes) -> str:
        identity = json.dumps([wishes.manifest(), wishes.lock, self._npm, os.uname().machine])
        return hashlib.sha256(identity.encode()).hexdigest()[:24]

    async def _ready(self, root: Path, wishes: NodeWishes, asked: str) -> bool:
        """Whether the packages are there, after installing them; else what was wrong is noted under `asked`."""

        def there() -> bool:
            return (root / "node_modules").is_dir()

        async def build() -> bool:
            if self._npm is None:
                raise PrerequisiteError("npm is not installed: install Node.js 20 or later")
            return await self._install(self._npm, root, wishes, asked)

        return await ready(root, there, build)

    async def _install(self, npm: str, root: Path, wishes: NodeWishes, asked: str) -> bool:
        draft = root.with_suffix(".new")
        for leftover in (draft, root):
            await asyncio.to_thread(remove, leftover)
        draft.mkdir(mode=0o755)
        (draft / "package.json").write_text(wishes.manifest())
        if wishes.lock:
            (draft / "package-lock.json").write_text(wishes.lock)
        done = await install([npm, "ci" if wishes.lock else "install", *_FLAGS], self._environment, draft)
        if done.exit_code:
            await asyncio.to_thread(remove, draft)
            self._note_refused(done, wishes, asked)
            return False
        if await asyncio.to_thread(size_of, draft) > MAX_BYTES:
            await asyncio.to_thread(remove, draft)
            message = f"the packages take more than {MAX_BYTES // 1024**3} GiB when installed"
            self._refused[asked], self._gone[asked] = [wishes.finding("", "too-large", message)], wishes.names
            return False
        for name in NODE_CACHES:
            (draft / "node_modules" / name).mkdir(parents=True, exist_ok=True)
        draft.rename(root)
        await asyncio.to_thread(remove_unused, self._folder)
        return True

    def _note_refused(self, done: Installed, wishes: NodeWishes, asked: str) -> None:
        """What npm says by its error codes. Raises PrerequisiteError where the registry does not answer."""
        error = _error(done)
        code, said = str(error.get("code", "")), f"{error.get('summary', '')} {error.get('detail', '')}".strip()
        if code == _OUT_OF_DATE and wishes.lock:
            lock = wishes.path.replace("package.json", "package-lock.json")
            message = "package-lock.json does not fit package.json: write it anew, or leave it out"
            found = wishes.finding("", "lock-out-of-date", message).model_copy(update={"path": lock})
            self._refused[asked], self._gone[asked] = [found], set()
            return
        if code not in _RULES:
            raise PrerequisiteError(f"npm cannot install ({code or done.exit_code}): {clean(said or done.said)[-300:]}")
        guilty = _named(said, wishes.names) if code != "ERESOLVE" else set()
        first = next(iter(sorted(guilty)), "")
        rule = _RULES[code]
        if code == "E404" and first:
            message = f"{first} does not exist in the package registry"
        else:
            message = f"{first or 'the packages'} cannot be installed: {' '.join(said.split())[:600]}"
        self._refused[asked] = [wishes.finding(first, rule, message)]
        self._gone[asked] = {first} if first else wishes.names


def _error(done: Installed) -> dict[str, Any]:
    """The error that npm reports as JSON."""
    start = done.stdout.find("{")
    try:
        data = json.loads(done.stdout[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    error = data.get("error") if isinstance(data, dict) else None
    return error if isinstance(error, dict) else {}


def _named(said: str, names: set[str]) -> set[str]:
    """Which of the packages npm speaks of."""
    plain = said.replace("%2f", "/").replace("%2F", "/")
    return {
        name for name in names if re.search(rf"(?<![\w@/.-]){re.escape(name)}(?![\w/.-])|/{re.escape(name)} ", plain)
    }


def _packages(modules: Path) -> list[str]:
    """Names of all packages in a `node_modules`, those inside of others too."""
    found = {folder.parent for folder in modules.rglob("package.json")}
    names = (
        "/".join(folder.parts[-2:] if folder.parent.name.startswith("@") else folder.parts[-1:]) for folder in found
    )
    return sorted(set(names))


def _version(modules: Path, name: str) -> str:
    data = json.loads((modules / name / "package.json").read_text(encoding="utf-8"))
    return str(data["version"])
