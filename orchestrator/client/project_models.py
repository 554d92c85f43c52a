"""The section `models` of a project file: which models somebody wants to be asked first."""

import re

import yaml

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.yaml_source import YamlSource, nearest
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import Stage, TaskType

_SECTIONS = ("tasks", "types", "stages")
_TYPES = tuple(task_type.value for task_type in TaskType)
_STAGES = tuple(stage.value for stage in Stage)
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHOWN_CHARS = 60


def parse_models(source: YamlSource, node: yaml.Node, resolve: ModelResolver) -> tuple[ModelOverride, ...]:
    """Overrides in the order of the file: by task or `task/stage`, by task type, by stage. Raises UserInputError."""
    overrides = []
    for section, (_, value) in source.entries(node, "models", _SECTIONS).items():
        for name, (key, models) in source.entries(value, f"models.{section}").items():
            target = _target(source, section, name, key)
            ids = _ids(source, models, f"models.{section}.{name[:_SHOWN_CHARS]}", resolve)
            overrides.append(target.model_copy(update={"models": ids}))
    return tuple(overrides)


def _target(source: YamlSource, section: str, name: str, key: yaml.Node) -> ModelOverride:
    """What the models under `name` are for; an override without models."""
    if section == "types":
        if name not in _TYPES:
            raise source.error(key, f"models.types: unknown task type {name[:_SHOWN_CHARS]!r}; {nearest(name, _TYPES)}")
        return ModelOverride(models=(), type=TaskType(name))
    if section == "stages":
        return ModelOverride(models=(), stage=_stage(source, section, name, key))
    task, slash, stage = name.partition("/")
    if not _TASK_ID.fullmatch(task):
        raise source.error(key, f"models.tasks: {name[:_SHOWN_CHARS]!r} is no task id, such as t01, or t01/critique")
    return ModelOverride(models=(), task=task, stage=_stage(source, section, stage, key) if slash else None)


def _stage(source: YamlSource, section: str, name: str, key: yaml.Node) -> Stage:
    if name not in _STAGES:
        raise source.error(key, f"models.{section}: unknown stage {name[:_SHOWN_CHARS]!r}; {nearest(name, _STAGES)}")
    return Stage(name)


def _ids(source: YamlSource, node: yaml.Node, field: str, resolve: ModelResolver) -> tuple[str, ...]:
    nodes = source.items(node, field) if isinstance(node, yaml.SequenceNode) else [node]
    if not nodes:
        raise source.error(node, f"{field}: names no model; give one or remove the line")
    ids = []
    for item in nodes:
        try:
            ids.append(resolve(source.text(item, field)))
        except ValueError as error:
            raise source.error(item, f"{field}: {error}") from None
    return tuple(dict.fromkeys(ids))
