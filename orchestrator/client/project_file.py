"""Project files, YAML or JSON: all that somebody wants of a project; errors say where, what, and the fix."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.project_policies import PolicySection, read_policies
from orchestrator.client.project_shape import (
    BudgetSection,
    CommandSection,
    FileSection,
    OutputSection,
    ProjectSection,
    ProjectShape,
)
from orchestrator.client.user_files import UserFiles, inside
from orchestrator.contracts.delivery import Delivery
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.apps import ArchitectureWishes, DependencyPolicy, EnhanceMode, UserCommand
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.policy import Policy
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import TaskType
from orchestrator.domain.text import one_line
from orchestrator.settings.yaml_files import shaped
from orchestrator.settings.yaml_source import FieldPath, YamlDocument, read_document

T = TypeVar("T")

PAGE = "docs/project-file.md"
_NAME_CHARS = 80


class ProjectFile(Frozen):
    """What a project file says; None or empty where it says nothing. Values are checked."""

    project: str | None = None
    criteria: str | None = None
    budget: int | None = None  # micro-USD
    time_limit: float | None = None  # seconds
    concurrency: int | None = None
    project_id: str | None = None
    team: str | None = None
    output_dir: str | None = None
    new_project: bool | None = None
    enhance: EnhanceMode | None = None
    advise: bool | None = None
    approve: bool | None = None  # the plan waits for a person
    on_exhausted: OnExhausted | None = None
    models: tuple[ModelOverride, ...] = ()
    policies: tuple[Policy, ...] = ()
    wishes: ArchitectureWishes = ArchitectureWishes()
    dependencies: DependencyPolicy = DependencyPolicy()
    validators: tuple[str, ...] = ()
    commands: tuple[UserCommand, ...] = ()
    quality_targets: dict[TaskType, float] = {}
    delivery: Delivery = Delivery()
    files: dict[str, bytes] = {}  # the user's own, by path in the software


def load_project_file(path: Path, resolve: ModelResolver) -> ProjectFile:
    """Read and check `path`; `resolve` knows the models. Names may be written with `-` or `_`.

    Raises UserInputError with everything that is wrong, as `file:line:column: field: what is wrong and the fix`.
    """
    document = read_document(path, nulls=False)
    if document.value is None:
        raise UserInputError(f"{path}: the file is empty; it needs at least 'project:' and 'criteria:'")
    shape = shaped(document, ProjectShape, page=PAGE, context=resolve)
    found = _Meaning(document, shape, path.absolute().parent, resolve).read()
    document.check()
    return found


class _Meaning:
    """One meaning of what may be written in several ways; complains of what is said twice."""

    def __init__(self, document: YamlDocument, shape: ProjectShape, folder: Path, resolve: ModelResolver) -> None:
        self._document = document
        self._shape = shape
        self._folder = folder
        self._resolve = resolve

    def read(self) -> ProjectFile:
        shape = self._shape
        project = shape.project if isinstance(shape.project, ProjectSection) else None
        budget = shape.budget if isinstance(shape.budget, BudgetSection) else None
        output = shape.output.dir if isinstance(shape.output, OutputSection) else shape.output
        return ProjectFile(
            project=_told(project) if project else _value(shape.project, str),
            criteria=self._one(
                (("criteria",), shape.criteria),
                (("project", "success_criteria"), project.success_criteria if project else None),
                (("project", "criteria"), project.criteria if project else None),
            ),
            budget=self._one(
                (("budget",), budget.max_usd if budget else _value(shape.budget, int)),
                (("budget_usd",), shape.budget_usd),
            ),
            time_limit=self._one(
                (("time_limit",), shape.time_limit),
                (("time",), shape.time),
                (("time_seconds",), shape.time_seconds),
                (("budget", "max_time_seconds"), budget.max_time_seconds if budget else None),
            ),
            concurrency=shape.concurrency,
            project_id=shape.project_id,
            team=shape.team,
            output_dir=self._one((("output",), output), (("output_dir",), shape.output_dir)),
            new_project=shape.new_project,
            enhance=self._one(
                (("enhance",), shape.enhance),
                (("no_enhance",), EnhanceMode.OFF if shape.no_enhance else None),
            ),
            advise=shape.advise,
            approve=shape.approve,
            on_exhausted=shape.on_exhausted,
            models=shape.models.overrides(),
            policies=tuple(self._policies()),
            wishes=self._wishes(),
            dependencies=DependencyPolicy(**shape.dependencies.model_dump()),
            validators=tuple(dict.fromkeys(shape.validators)),
            commands=self._commands(),
            quality_targets=shape.quality_targets,
            delivery=Delivery(**shape.deliver.model_dump(exclude_none=True)),
            files=self._files(),
        )

    def _one(self, *given: tuple[FieldPath, T | None]) -> T | None:
        """The value that is given; more than one is a complaint."""
        there = [(path, value) for path, value in given if value is not None]
        for path, _ in there[1:]:
            first = ".".join(str(part) for part in there[0][0])
            self._document.complain(path, f"is said by '{first}' already; remove one of them", of_name=True)
        return there[0][1] if there else None

    def _wishes(self) -> ArchitectureWishes:
        wanted = ArchitectureWishes(**self._shape.architecture.model_dump())
        app_type = self._one(
            (("app_type",), self._shape.app_type),
            (("architecture", "app_type"), wanted.app_type),
        )
        return wanted.model_copy(update={"app_type": app_type})

    def _commands(self) -> tuple[UserCommand, ...]:
        given = [*self._shape.commands, *([self._shape.verify_cmd] if self._shape.verify_cmd else [])]
        sections = (CommandSection(run=one) if isinstance(one, str) else one for one in given)
        return tuple(
            UserCommand(
                name=one.name or one_line(one.run, _NAME_CHARS),
                run=one.run,
                **({"timeout_s": one.timeout} if one.timeout is not None else {}),
            )
            for one in sections
        )

    def _files(self) -> dict[str, bytes]:
        entries = [(one.path, one.source) if isinstance(one, FileSection) else (one, one) for one in self._shape.files]
        reader = UserFiles(self._folder, lambda index, words: self._document.complain(("files", index), words))
        return reader.read(entries)

    def _policies(self) -> Iterator[Policy]:
        several = self._shape.policies
        if isinstance(several, str):
            yield from self._policy_file(("policies",), several)
        else:
            for number, one in enumerate(several or ()):
                yield from self._policy(("policies", number), one, f"policies[{number}]")
        if self._shape.policy is not None:
            yield from self._policy(("policy",), self._shape.policy, "policy")

    def _policy(self, path: FieldPath, given: str | PolicySection, unnamed: str) -> Iterator[Policy]:
        if isinstance(given, str):
            yield from self._policy_file(path, given)
        else:
            yield given.policy(unnamed)

    def _policy_file(self, path: FieldPath, name: str) -> Iterator[Policy]:
        file = inside(self._folder, name)
        if file is None or not file.is_file():
            self._document.complain(path, f"there is no file {name[:_NAME_CHARS]!r} beside the project file")
            return
        yield from read_policies(file, self._resolve)


def _told(project: ProjectSection) -> str:
    return f"{project.title}\n\n{project.description}" if project.title else project.description


def _value(given: object, kind: type[T]) -> T | None:
    return given if isinstance(given, kind) else None
