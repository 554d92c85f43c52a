"""What a scaffold tells its reader: the README and the command of the Dockerfile."""

import json
import shlex

from orchestrator.domain.app_names import AppNames
from orchestrator.domain.apps import Architecture
from orchestrator.scaffolds.kinds import Kind

_ALL_INTERFACES = "0.0.0.0"  # inside a container, whose ports are published one by one


def readme(of: Kind, names: AppNames, architecture: Architecture, node_install: str) -> str:
    """How to install, build, run, test, check and pack the software; `node_install` installs its Node packages."""
    install = tuple(node_install if command.startswith("npm ") else command for command in of.install)
    sections = [
        ("Install", install),
        ("Build", (architecture.build_command,)),
        ("Run", (architecture.run_command,)),
        ("Test", (architecture.test_command,)),
        ("Check", of.checks),
        ("Container", _container(of, names)),
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
