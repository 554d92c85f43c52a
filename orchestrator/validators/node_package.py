"""The packages of Node that a workspace holds, and how a command is run in one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.findings import Finding
from orchestrator.validators.app_plan import package_json
from orchestrator.validators.commands_check import place_in
from orchestrator.validators.limits import MIB, Limits, SandboxRun
from orchestrator.validators.results import clean
from orchestrator.validators.subject import Subject

LIMITS = Limits(
    wall_s=300, cpu_s=600, memory_bytes=3072 * MIB, processes=1024, disk_bytes=1024 * MIB, output_bytes=4 * MIB
)
NOT_FOUND = 127  # how a shell says that a program is not there
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ENVIRONMENT = {"CI": "1", "NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1", "npm_config_update_notifier": "false"}
_SAID_CHARS = 1600


@dataclass(frozen=True)
class NodePackage:
    """A folder with a package.json; the workspace itself has an empty name."""

    folder: str
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Its package.json."""
        return self.inside("package.json")

    def inside(self, path: str) -> str:
        """A path of the package as one of the workspace."""
        return f"{self.folder}/{path}" if self.folder else path

    def holds(self, path: str) -> bool:
        """Whether a path of the workspace lies in the package."""
        return not self.folder or path.startswith(f"{self.folder}/")

    def script(self, name: str) -> str:
        """The command of a script; empty where there is none."""
        scripts = self.manifest.get("scripts")
        command = scripts.get(name) if isinstance(scripts, dict) else None
        return command if isinstance(command, str) else ""

    def needs(self, package: str) -> bool:
        """Whether it depends on another one when it runs."""
        dependencies = self.manifest.get("dependencies")
        return isinstance(dependencies, dict) and package in dependencies


def node_packages(subject: Subject) -> list[NodePackage]:
    """All of the workspace, installed ones aside."""
    manifests = [PurePosixPath(path) for path in sorted(subject.files) if path.endswith("package.json")]
    own = [path for path in manifests if path.name == "package.json" and "node_modules" not in path.parts]
    folders = ["" if str(path.parent) == "." else str(path.parent) for path in own]
    return [NodePackage(folder, package_json(subject.files, folder)) for folder in folders]


async def run_in(
    subject: Subject, package: NodePackage, command: Sequence[str], collect: Sequence[str] = ()
) -> SandboxRun:
    """Run a command in the package's folder, with all that is installed."""
    words = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', package.folder or ".", *command]
    return await subject.run(words, LIMITS, environment=_ENVIRONMENT, collect=collect)


def plain(said: str) -> str:
    """Output without colours and without the sandbox's own folder."""
    return _ANSI.sub("", said).replace("file:///workspace/", "").replace("/workspace/", "")


def failure(
    name: str, rule: str, command: Sequence[str], run: SandboxRun, package: NodePackage, subject: Subject
) -> Finding:
    """A command that failed, at the last place that it spoke of; at its package.json where it named none."""
    said = plain(f"{run.stdout}\n{run.stderr}").strip()
    below = {path.removeprefix(f"{package.folder}/"): path for path in subject.files if package.holds(path)}
    path, line = place_in(said, dict.fromkeys((*below, *subject.files), b""))
    message = f"`{' '.join(command[:3])}` ended with exit code {run.exit_code}\n{said[-_SAID_CHARS:]}"
    place = path if path in subject.files else below.get(path, package.path)
    return Finding(validator=name, path=place, line=line, rule=rule, message=clean(message))
