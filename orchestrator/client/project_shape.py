"""What may stand in a project file: the shape that errors, the JSON Schema and docs/project-file.md speak of."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from orchestrator.client.deliveries import parse_output_pattern, parse_webhook
from orchestrator.client.project_models import ModelsSection
from orchestrator.client.project_policies import PolicySection
from orchestrator.client.spec import (
    parse_app_type,
    parse_approve,
    parse_budget,
    parse_concurrency,
    parse_on_exhausted,
    parse_project_id,
    parse_team,
    parse_text,
    parse_time_limit,
)
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.apps import AppType, ArchitectureWishes, EnhanceMode
from orchestrator.domain.delivery import check_command
from orchestrator.domain.limits import MAX_CONCURRENCY
from orchestrator.domain.paths import normalise_path
from orchestrator.domain.plan import KNOWN_VALIDATORS
from orchestrator.domain.tasks import TaskType
from orchestrator.settings.yaml_files import LIST, MAPPING, VALUE, Section, form, nearest

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_-]{0,63}")
_PACKAGE = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._/-]{0,213}")
_SHOWN_CHARS = 60


def _written(parse: Callable[[str], Any]) -> BeforeValidator:
    """Reads text by `parse`; anything else is left to the type, which refuses it."""
    return BeforeValidator(lambda given: parse(given) if isinstance(given, str) else given)


def _enhance(raw: str) -> EnhanceMode | str | None:
    """None for a plain yes: what becomes of suggestions is decided as without the line."""
    word = raw.strip().lower()
    return {"false": EnhanceMode.OFF, "no": EnhanceMode.OFF, "true": None, "yes": None}.get(word, word)


def _validator(name: str) -> str:
    if name not in KNOWN_VALIDATORS:
        raise ValueError(f"unknown validator {name[:_SHOWN_CHARS]!r}; {nearest(name, KNOWN_VALIDATORS)}")
    return name


def _package(name: str) -> str:
    """The normalised name of a distribution, or of a package of npm."""
    if not _PACKAGE.fullmatch(name):
        raise ValueError(f"{name[:_SHOWN_CHARS]!r} is no name of a package; versions belong into 'pinned'")
    return name.lower() if name.startswith("@") else re.sub(r"[-_.]+", "-", name).lower()


def _version(given: str) -> str:
    version = given.strip().removeprefix("==")
    if not _VERSION.fullmatch(version):
        raise ValueError(f"must be one exact version, such as 2.31.0; got {given[:_SHOWN_CHARS]!r}")
    return version


def _own_path(given: str) -> str:
    """A path in the folder of the project file, or in the software. Raises UnsafePathError, a ValueError."""
    normalise_path(given.rstrip("/"))
    return given


def _names_of(names: tuple[str, ...], schema: str = "string") -> WithJsonSchema:
    return WithJsonSchema({"type": schema, "enum": list(names)})


_NUMBER: dict[str, Any] = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
Text = Annotated[str, AfterValidator(parse_text)]
Budget = Annotated[int, _written(parse_budget), WithJsonSchema(_NUMBER)]
Duration = Annotated[float, _written(parse_time_limit), WithJsonSchema(_NUMBER)]
Concurrency = Annotated[
    int,
    _written(parse_concurrency),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_CONCURRENCY}),
]
Approve = Annotated[bool, _written(parse_approve), WithJsonSchema({"const": "plan"})]
Exhausted = Annotated[OnExhausted, _written(parse_on_exhausted), _names_of(tuple(OnExhausted))]
Enhance = Annotated[
    EnhanceMode | None,
    _written(_enhance),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": [mode.value for mode in EnhanceMode]}]}),
]
App = Annotated[AppType, _written(parse_app_type), _names_of(tuple(AppType))]
Validator = Annotated[str, AfterValidator(_validator), _names_of(KNOWN_VALIDATORS)]
Package = Annotated[str, AfterValidator(_package)]
Score = Annotated[float, Field(gt=0, le=1)]
OwnPath = Annotated[str, AfterValidator(_own_path)]
ProjectId = Annotated[str, AfterValidator(parse_project_id)]
Team = Annotated[str, AfterValidator(parse_team)]


class ProjectSection(Section):
    """The project in parts."""

    title: Text | None = None
    """What it is, in a few words."""
    description: Text
    """What is to be built."""
    success_criteria: Text | None = None
    """How to tell that it is done."""
    criteria: Text | None = None
    """The same as success_criteria."""


class BudgetSection(Section):
    """Money and time."""

    max_usd: Budget | None = None
    """Most to spend, in USD."""
    max_time_seconds: Duration | None = None
    """Longest run, in seconds or as 1h30m."""


class CommandSection(Section):
    """A check of the user's own."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    """What reports call it."""
    run: Text
    """The command; it runs in the sandbox, in the folder of the software, and must exit with 0."""
    timeout: Duration | None = None
    """Longest time, such as 90 or 5m."""


class FileSection(Section):
    """One of the user's own files, or a folder."""

    path: OwnPath
    """Where it goes in the software."""
    source: OwnPath
    """The file or folder, in the folder of the project file."""


class ArchitectureSection(Section, ArchitectureWishes):
    """What is decided already; it wins over any advice. Commands run in the folder of the software."""

    app_type: App | None = None
    """The kind of software."""


class DependenciesSection(Section):
    """Which packages may be installed."""

    allowed: tuple[Package, ...] = ()
    """Only these, where there are any."""
    denied: tuple[Package, ...] = ()
    """Never these."""
    pinned: dict[Package, Annotated[str, AfterValidator(_version)]] = {}
    """Exact versions by name."""


class DeliverSection(Section):
    """What a worker does with a run that has ended, as far as its environment allows."""

    webhook: Annotated[str, AfterValidator(parse_webhook)] | None = None
    """The address that receives a signed message."""
    command: Annotated[tuple[str, ...], AfterValidator(check_command)] = ()
    """Absolute path of a program, and its arguments; the message is its standard input."""
    output_dir: Annotated[str, AfterValidator(parse_output_pattern)] | None = None
    """The folder, where the worker runs, that receives the files; %Y-%m-%d and the like are filled in."""


class OutputSection(Section):
    """Where the software goes."""

    dir: Text
    """The folder."""


OwnPolicies = Annotated[
    Annotated[OwnPath, Tag(VALUE)] | Annotated[PolicySection, Tag(MAPPING)],
    Discriminator(form),
]


class ProjectShape(Section):
    """A project file: what to build and how to tell that it is done, within which limits, by which models."""

    project: (
        Annotated[Annotated[Text, Tag(VALUE)] | Annotated[ProjectSection, Tag(MAPPING)], Discriminator(form)] | None
    ) = None
    """What is to be built: a text, or title, description and success_criteria."""
    criteria: Text | None = None
    """How to tell that it is done."""
    budget: (
        Annotated[Annotated[Budget, Tag(VALUE)] | Annotated[BudgetSection, Tag(MAPPING)], Discriminator(form)] | None
    ) = None
    """Most to spend, in USD; or max_usd and max_time_seconds."""
    budget_usd: Budget | None = None
    """The same as budget."""
    time_limit: Duration | None = None
    """Longest run, such as 90m, 1h30m or 5400 (seconds)."""
    time: Duration | None = None
    """The same as time_limit."""
    time_seconds: Duration | None = None
    """The same as time_limit."""
    concurrency: Concurrency | None = None
    """Tasks at a time."""
    project_id: ProjectId | None = None
    """The project's id; one that exists is gone on with."""
    team: Team | None = None
    """Whose project it is: where the workers of a cluster are busy, teams take turns."""
    app_type: App | None = None
    """The kind of software, which otherwise is advised."""
    architecture: ArchitectureSection = ArchitectureSection()
    models: ModelsSection = ModelsSection()
    quality_targets: dict[TaskType, Score] = {}
    """The score from 0 to 1 at which a task of the type is accepted."""
    validators: tuple[Validator, ...] = ()
    """Checks of the whole software, besides those that its files call for."""
    commands: tuple[
        Annotated[Annotated[Text, Tag(VALUE)] | Annotated[CommandSection, Tag(MAPPING)], Discriminator(form)], ...
    ] = ()
    """Checks of your own: commands that must exit with 0 in the sandbox."""
    verify_cmd: Text | None = None
    """One more command, as in commands."""
    files: tuple[
        Annotated[Annotated[OwnPath, Tag(VALUE)] | Annotated[FileSection, Tag(MAPPING)], Discriminator(form)], ...
    ] = ()
    """Your own files and folders, from beside the project file, that are part of the software from the start."""
    dependencies: DependenciesSection = DependenciesSection()
    policies: (
        Annotated[Annotated[OwnPath, Tag(VALUE)] | Annotated[tuple[OwnPolicies, ...], Tag(LIST)], Discriminator(form)]
        | None
    ) = None
    """Which models may be asked: policies, or names of files with policies."""
    policy: OwnPolicies | None = None
    """One more policy."""
    enhance: Enhance = None
    """Suggestions for a better project text: false or off, ask, or all."""
    no_enhance: bool | None = None
    """True: take the text as it is written."""
    advise: bool | None = None
    """Whether an architecture is advised."""
    approve: Approve | None = None
    """plan: the plan waits until somebody approves it."""
    on_exhausted: Exhausted | None = None
    """When the budget is used up: end, or pause until it is raised."""
    output: (
        Annotated[Annotated[Text, Tag(VALUE)] | Annotated[OutputSection, Tag(MAPPING)], Discriminator(form)] | None
    ) = None
    """The folder where the software goes."""
    output_dir: Text | None = None
    """The same as output."""
    deliver: DeliverSection = DeliverSection()
    """What a worker does once the run has ended."""
    new_project: bool | None = None
    """True: start afresh, whatever ran before."""

    replaced: ClassVar[Mapping[str, str]] = {
        "assemble": "the software is always put together in the output folder; remove the line",
        "task_paths": "the plan says which task writes which file; 'approve: plan' lets you edit it",
        "verbose": "progress is always shown; remove the line",
        "success_criteria": "write 'criteria'",
        "description": "write 'project'",
    }
