"""What kind of software a project is: its type, its architecture, and what it needs installed."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.domain.base import Frozen

Line = Annotated[str, Field(max_length=300)]


class AppType(StrEnum):
    """Kinds of software that there is a scaffold for."""

    FASTAPI = "fastapi"
    FLASK = "flask"
    CLI = "cli"
    LIBRARY = "library"
    SCRIPT = "script"
    DATA_PIPELINE = "data_pipeline"
    REACT_FASTAPI = "react_fastapi"
    NEXTJS = "nextjs"
    STATIC_SITE = "static_site"
    GENERIC = "generic"


class Architecture(Frozen):
    """Decisions that the plan must follow. Commands are run from the folder of the software, without a shell."""

    app_type: AppType
    structural_pattern: Line = ""  # such as layered, hexagonal, mvc, script
    topology: Line = ""  # such as monolith, library, serverless
    data_paradigm: Line = ""  # such as relational, document, none
    api_paradigm: Line = ""  # such as rest, graphql, cli, none
    stack: tuple[Line, ...] = ()
    entry_point: Line = ""  # a path or a module
    run_command: Line = ""
    build_command: Line = ""
    test_command: Line = ""
    rationale: Annotated[str, Field(max_length=2000)] = ""


class ArchitectureWishes(Frozen):
    """What the user has decided: it wins over any advice."""

    app_type: AppType | None = None
    structural_pattern: Line | None = None
    topology: Line | None = None
    data_paradigm: Line | None = None
    api_paradigm: Line | None = None
    stack: tuple[Line, ...] | None = None
    entry_point: Line | None = None
    run_command: Line | None = None
    build_command: Line | None = None
    test_command: Line | None = None


class Dependencies(Frozen):
    """Packages that the software needs: PEP 508 requirements, and `name@range` for Node."""

    python: tuple[str, ...] = ()
    node: tuple[str, ...] = ()


def joined(first: Dependencies, second: Dependencies) -> Dependencies:
    """All packages of both."""
    return Dependencies(
        python=tuple(dict.fromkeys((*first.python, *second.python))),
        node=tuple(dict.fromkeys((*first.node, *second.node))),
    )


class DependencyPolicy(Frozen):
    """Which packages may be installed, by normalised distribution name.

    `allowed`: only these, where it is not empty; `denied`: never these; `pinned`: name to exact version.
    """

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    pinned: dict[str, str] = {}


class UserCommand(Frozen):
    """A check of the user's own: a command that must exit with 0 in the sandbox, over all files together."""

    name: str
    run: str
    timeout_s: float = 300.0


class EnhanceMode(StrEnum):
    """What becomes of suggestions for a better project text."""

    OFF = "off"  # none are asked for
    ALL = "all"  # all are applied
    ASK = "ask"  # the run waits until somebody chooses
