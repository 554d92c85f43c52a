"""A plan that somebody edited: read back and checked, so that no mistake reaches the run."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationError

from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.paths import UnsafePathError
from orchestrator.domain.plan import KNOWN_VALIDATORS, RESERVED_IDS, check_plan, owned_path
from orchestrator.domain.tasks import TaskType
from orchestrator.settings.yaml_files import Section, nearest, shaped
from orchestrator.settings.yaml_source import YamlDocument, read_document

MAX_FILE_BYTES = 8_000_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHOWN_CHARS = 60
_MAX_TASKS = 2000
_START = "'orch-cli plan ID --yaml' prints a plan to start from"


def _task_id(given: str) -> str:
    if not _ID.fullmatch(given) or given in RESERVED_IDS:
        wanted = "must be 1 to 64 letters, digits, '_', '.' or '-', and not 'project'"
        raise ValueError(f"{wanted}; got {given[:_SHOWN_CHARS]!r}")
    return given


def _path(given: str) -> str:
    try:
        owned_path(given)
    except UnsafePathError as error:
        raise ValueError(str(error)) from None
    return given


def _validator(given: str) -> str:
    if given not in KNOWN_VALIDATORS:
        raise ValueError(f"unknown validator {given[:_SHOWN_CHARS]!r}; {nearest(given, KNOWN_VALIDATORS)}")
    return given


class _Task(Section):
    id: Annotated[str, AfterValidator(_task_id)]
    title: str
    type: TaskType
    prompt: str
    dependencies: tuple[str, ...] = ()
    files: tuple[Annotated[str, AfterValidator(_path)], ...] = ()
    validators: tuple[Annotated[str, AfterValidator(_validator)], ...] = ()


class _Plan(Section):
    tasks: tuple[_Task, ...]


def load_plan(path: Path) -> tuple[PlannedTask, ...]:
    """The tasks of a file as `orch-cli plan ID --yaml` prints it.

    Raises UserInputError with everything that is wrong, as `file:line:column: tasks[N].field: what, and the fix`.
    """
    document = read_document(path, max_bytes=MAX_FILE_BYTES)
    if document.value is None:
        raise UserInputError(f"{path}: the file is empty; {_START}")
    plan = shaped(document, _Plan)
    if not 1 <= len(plan.tasks) <= _MAX_TASKS:
        raise document.error(("tasks",), f"must hold 1 to {_MAX_TASKS} tasks; got {len(plan.tasks)}")
    _check_names(document, plan)
    tasks = tuple(_planned(document, number, task) for number, task in enumerate(plan.tasks))
    document.check()
    planned = tuple(task for task in tasks if task is not None)
    errors = check_plan(planned)
    if errors:
        raise document.error(("tasks",), errors[0])
    return planned


def _check_names(document: YamlDocument, plan: _Plan) -> None:
    """Complains of ids that are given twice, and of dependencies that are none."""
    ids: dict[str, int] = {}
    for number, task in enumerate(plan.tasks):
        if ids.setdefault(task.id, number) != number:
            document.complain(("tasks", number, "id"), f"{task.id!r} is tasks[{ids[task.id]}] already")
    for number, task in enumerate(plan.tasks):
        for index, other in enumerate(task.dependencies):
            if other not in ids:
                words = f"{other[:_SHOWN_CHARS]!r} is no task; {nearest(other, ids)}"
                document.complain(("tasks", number, "dependencies", index), words)


def _planned(document: YamlDocument, number: int, task: _Task) -> PlannedTask | None:
    """The task as the run takes it; None after a complaint."""
    try:
        return PlannedTask.model_validate(task.model_dump())
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            document.complain(("tasks", number, *one["loc"]), one["msg"])
    return None
