"""What a scaffold tells its reader: the README and the command of the Dockerfile."""

import json
import shlex
from collections.abc import Collection

from orchestrator.domain.app_names import AppNames
from orchestrator.domain.apps import Architecture
from orchestrator.scaffolds import manifests
from orchestrator.scaffolds.kinds import Kind

_DOCKERFILE = "Dockerfile"
_ALL_INTERFACES = "0.0.0.0"  # inside a container, whose ports are published one by one


def readme(of: Kind, names: AppNames, architecture: Architecture, paths: Collection[str], node_install: str) -> str:
    """How to install, build, run, test, check and pack the software, as far as `paths`, all its files, have it.

    `node_install` installs its Node packages.
    """
    checks = of.checks if manifests.PYPROJECT in paths or manifests.PACKAGE_JSON in paths else ()
    sections = [
        ("Install", _install(of, paths, node_install)),
        ("Build", (architecture.build_command,)),
        ("Run", (architecture.run_command,)),
        ("Test", (architecture.test_command,)),
        ("Check", checks),
        ("Container", _container(of, names) if _DOCKERFILE in paths else ()),
    ]
    parts = [f"# {names.title}\n"]
    parts += [f"## {title}\n\n```sh\n{text}\n```\n" for title, lines in sections if (text := _joined(lines))]
    if of.notes:
        parts.append(f"## Notes\n\n{of.notes.strip()}\n")
    return "\n".join(parts)


def container_command(architecture: Architecture) -> str:
    """What a container runs, as the array of a Dockerfile's CMD: the tests for software that nothing runs."""
    command = architecture.run_command or architecture.test_command
    words = [word.replace("127.0.0.1", _ALL_INTERFACES) for word in _words(command)]
    return json.dumps(words, ensure_ascii=False)


def _install(of: Kind, paths: Collection[str], node_install: str) -> tuple[str, ...]:
    commands = []
    if manifests.PACKAGE_JSON in paths:
        commands.append(node_install)
    if manifests.PYPROJECT in paths:
        commands += [command for command in of.install if not command.startswith("npm ")]
    elif manifests.REQUIREMENTS in paths:
        commands.append(f"python -m pip install -r {manifests.REQUIREMENTS}")
    return tuple(commands)


def _container(of: Kind, names: AppNames) -> tuple[str, ...]:
    publish = f"-p 127.0.0.1:{of.port}:{of.container_port or of.port} " if of.port else ""
    return (f"docker build -t {names.distribution} .", f"docker run --rm {publish}{names.distribution}")


def _joined(lines: tuple[str, ...]) -> str:
    """The commands, one a line; no line can end the fence that they stand in."""
    return "\n".join(" ".join(line.replace("`", "'").split()) for line in lines if line.strip())


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an open quote in a command of somebody's own
        return command.split()
