"""The section `models` of a project file: which models somebody wants to be asked first."""

import re
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag, ValidationInfo

from orchestrator.client.model_names import ModelResolver
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.settings.yaml_files import LIST, VALUE, Section, form, nearest

_STAGES = tuple(stage.value for stage in Stage)
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHOWN_CHARS = 60


def resolved(name: str, info: ValidationInfo) -> str:
    """The id of the model that `name` means, where the validation's context resolves names."""
    resolve: ModelResolver | None = info.context
    return resolve(name) if resolve else name


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("names no model; give one or remove the line")
    return names


def _task_or_stage(name: str) -> str:
    task, slash, stage = name.partition("/")
    if not _TASK_ID.fullmatch(task):
        raise ValueError(f"{name[:_SHOWN_CHARS]!r} is no task id, such as t01, or t01/critique")
    if slash and stage not in _STAGES:
        raise ValueError(f"unknown stage {stage[:_SHOWN_CHARS]!r}; {nearest(stage, _STAGES)}")
    return name


ModelName = Annotated[str, AfterValidator(resolved)]
_Names = Annotated[
    Annotated[ModelName, Tag(VALUE)] | Annotated[tuple[ModelName, ...], AfterValidator(_some), Tag(LIST)],
    Discriminator(form),
]
_Task = Annotated[str, AfterValidator(_task_or_stage)]


class ModelsSection(Section):
    """Models to be asked first: a name, or names in order of preference. The first that matches counts."""

    tasks: dict[_Task, _Names] = {}
    """By task of the plan (t01), or one stage of it (t01/critique)."""
    types: dict[TaskType, _Names] = {}
    """By type of task, such as code_generation."""
    stages: dict[Stage, _Names] = {}
    """By stage, such as critique or evaluate."""

    def overrides(self) -> tuple[ModelOverride, ...]:
        """What the section says, in the order in which it applies: tasks, types, stages."""
        return (
            *(_of_task(name, names) for name, names in self.tasks.items()),
            *(ModelOverride(models=_ids(names), type=task_type) for task_type, names in self.types.items()),
            *(ModelOverride(models=_ids(names), stage=stage) for stage, names in self.stages.items()),
        )


def _of_task(name: str, names: str | tuple[str, ...]) -> ModelOverride:
    task, slash, stage = name.partition("/")
    return ModelOverride(models=_ids(names), task=task, stage=Stage(stage) if slash else None)


def _ids(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
