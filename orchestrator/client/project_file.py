"""Project files: YAML with the names of the flags of `start`; errors say where, what, and the fix."""

from collections.abc import Callable
from pathlib import Path

import yaml

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.project_models import parse_models
from orchestrator.client.project_policies import parse_policies
from orchestrator.client.spec import (
    parse_approve,
    parse_budget,
    parse_concurrency,
    parse_on_exhausted,
    parse_text,
    parse_time_limit,
)
from orchestrator.client.yaml_source import YamlSource
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.policy import Policy
from orchestrator.domain.routing import ModelOverride

MAX_FILE_BYTES = 1_000_000


class ProjectFile(Frozen):
    """What a project file says; None where it says nothing. Values are checked."""

    project: str | None = None
    criteria: str | None = None
    budget: int | None = None  # micro-USD
    time_limit: float | None = None  # seconds
    concurrency: int | None = None
    output_dir: str | None = None
    new_project: bool | None = None
    no_enhance: bool | None = None
    approve: bool | None = None  # the plan waits for a person
    on_exhausted: OnExhausted | None = None
    models: tuple[ModelOverride, ...] = ()
    policies: tuple[Policy, ...] = ()


def _parse_switch(raw: str) -> bool:
    if raw.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false; got {raw[:60]!r}")
    return raw.lower() == "true"


_FIELDS: dict[str, Callable[[str], object]] = {
    "project": parse_text,
    "criteria": parse_text,
    "budget": parse_budget,
    "time_limit": parse_time_limit,
    "concurrency": parse_concurrency,
    "output_dir": parse_text,
    "new_project": _parse_switch,
    "no_enhance": _parse_switch,
    "approve": parse_approve,
    "on_exhausted": parse_on_exhausted,
}
_SECTIONS = {"models": parse_models, "policies": parse_policies}


def load_project_file(path: Path, resolve: ModelResolver) -> ProjectFile:
    """Read and check `path`; `resolve` knows the models. Names may be written with `-` or `_`.

    Raises UserInputError as `file:line:column: field: what is wrong and the fix`.
    """
    source = YamlSource(path, MAX_FILE_BYTES)
    root = source.root()
    if root is None:
        raise UserInputError(f"{path}: the file is empty; it needs at least 'project:' and 'criteria:'")
    if not isinstance(root, yaml.MappingNode):
        raise source.error(root, "the file must be a list of 'name: value' lines, such as 'project: ...'")
    found: dict[str, object] = {}
    for name, (_, value) in source.entries(root, "", (*_FIELDS, *_SECTIONS)).items():
        if name in _SECTIONS:
            found[name] = _SECTIONS[name](source, value, resolve)
        else:
            found[name] = _field_value(source, name, value)
    return ProjectFile.model_validate(found)


def _field_value(source: YamlSource, name: str, node: yaml.Node) -> object:
    raw = source.text(node, name)
    try:
        return _FIELDS[name](raw)
    except ValueError as error:
        raise source.error(node, f"{name}: {error}") from None
