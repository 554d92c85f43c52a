"""The interpreter and the tools of checked code: an environment of their own, never ours."""

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings
from orchestrator.validators.environments.installer import passed_on, without_credentials

_BUILD_TIMEOUT_S = 600
BASE = "base"
_SETS = {
    BASE: "pytest, ruff",
    "types": "mypy",
    "formats": "parsers of HTML, SQL, YAML and OpenAPI",
    "shell": "shellcheck",
    "docker": "hadolint",
    "installer": "uv",
}
_PINNED = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)
_PLUGIN = "orch_pytest_report.py"


class ToolEnvironment:
    """A virtual environment with pinned tools below the cache folder, once per set of versions.

    `kind` names the set: "base" (pytest, ruff) or a further one that is built when it is first needed, so that a
    first run does not wait for it.
    Several processes may ask at once: one builds, the others wait. It appears whole or not at all.
    """

    def __init__(self, settings: Settings, kind: str = BASE) -> None:
        self.kind = kind
        self._settings = settings
        self._requirements = _package_text(f"tool-requirements{'' if kind == BASE else f'-{kind}'}.txt")
        self._plugin = _package_text(_PLUGIN) if kind == BASE else ""
        base = os.path.realpath(sys.base_prefix)
        identity = json.dumps([self._requirements, self._plugin, sys.version, base])
        self._parent = settings.cache_dir / "tools"
        self._root = self._parent / hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._environment = passed_on(settings.environment)
        self._build_lock = asyncio.Lock()

    @cached_property
    def others(self) -> "dict[str, ToolEnvironment]":
        """The further sets, of the same settings."""
        return {kind: ToolEnvironment(self._settings, kind) for kind in _SETS if kind != BASE}

    @cached_property
    def versions(self) -> dict[str, str]:
        """Version of each distribution in the set, by normalised name."""
        return dict(_PINNED.findall(self._requirements))

    @property
    def root(self) -> Path:
        """Where the environment is, or will be."""
        return self._root

    @property
    def base_prefixes(self) -> tuple[Path, ...]:
        """Folders of the interpreter that the environment is based on, as named and as resolved, and of Node."""
        named = Path(sys.base_prefix)
        node = shutil.which("node", path=self._environment.get("PATH"))
        bases = [named, named.resolve(), *([Path(node).resolve().parents[1]] if node else [])]
        return tuple(dict.fromkeys(base for base in bases if base != Path("/")))

    def is_ready(self) -> bool:
        """True where the environment exists and its interpreter has not been removed since."""
        return os.path.exists(self._root / "bin" / "python")

    async def ensure(self) -> Path:
        """The environment's folder, after building it if need be (seconds; needs a package index).

        Raises PrerequisiteError with the fix where it cannot be built.
        """
        if not self.is_ready():
            async with self._build_lock:
                await asyncio.to_thread(self._build_once)
        return self._root

    def _build_once(self) -> None:
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            with _file_lock(self._parent / f"{self._root.name}.lock"):
                if not self.is_ready():
                    self._build()
        except OSError as error:
            raise PrerequisiteError(
                f"cannot write the check tools below {self._parent}: {error.strerror}; "
                "set ORCHESTRATOR_CACHE_DIR to a folder that can be written"
            ) from error

    def _build(self) -> None:
        draft = self._root.with_suffix(".new")
        for leftover in (draft, self._root):
            if leftover.exists():
                shutil.rmtree(leftover)
        python = str(draft / "bin" / "python")
        requirements = draft / "requirements.txt"
        uv = shutil.which("uv", path=self._environment.get("PATH"))
        if uv:
            self._call([uv, "venv", "-q", "--python", _interpreter(), str(draft)])
            install = [uv, "pip", "install", "-q", "--python", python]
        else:
            self._call([_interpreter(), "-m", "venv", str(draft)])
            install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        requirements.write_text(self._requirements)
        self._call([*install, "--require-hashes", "--only-binary", ":all:", "-r", str(requirements)])
        if self._plugin:
            packages = next((draft / "lib").glob("python*/site-packages"))
            (packages / _PLUGIN).write_text(self._plugin)
        draft.chmod(0o755)
        draft.rename(self._root)

    def _call(self, command: list[str]) -> None:
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                umask=0o022,  # an unprivileged user reads it
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_BUILD_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PrerequisiteError(
                f"installing the check tools took over {_BUILD_TIMEOUT_S} s: does the package index answer?"
            ) from None
        if done.returncode != 0:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise PrerequisiteError(
                f"cannot install the check tools ({_SETS[self.kind]}): "
                f"{without_credentials(lines[-1])[:200] if lines else 'no output'}; "
                "they need a package index once, and Python's venv module (python3-venv) or uv"
            )


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _package_text(name: str) -> str:
    return resources.files("orchestrator.validators").joinpath(name).read_text(encoding="utf-8")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Exclusive over processes; freed by the system if the holder dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
