"""The section `policies` of a project file: which models the project may ask at all."""

from collections.abc import Callable

import yaml

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.yaml_source import YamlSource
from orchestrator.domain.policy import Policy

_LISTS = ("allowed_vendors", "blocked_vendors", "blocked_models", "allowed_regions")
_FIELDS = ("name", *_LISTS)


def parse_policies(source: YamlSource, node: yaml.Node, resolve: ModelResolver) -> tuple[Policy, ...]:
    """All policies of the file, which hold together. Raises UserInputError."""
    return tuple(
        _policy(source, item, f"policies[{number}]", resolve)
        for number, item in enumerate(source.items(node, "policies"))
    )


def _policy(source: YamlSource, node: yaml.Node, field: str, resolve: ModelResolver) -> Policy:
    entries = source.entries(node, field, _FIELDS)
    if "name" not in entries:
        raise source.error(node, f"{field}: has no name; add 'name: ...', which the records then show")
    given: dict[str, object] = {"name": source.text(entries["name"][1], f"{field}.name")}
    for name in _LISTS:
        if name in entries:
            read = resolve if name == "blocked_models" else str
            given[name] = _values(source, entries[name][1], f"{field}.{name}", read)
    if len(given) == 1:
        raise source.error(node, f"{field}: has no rule; known rules: {', '.join(_LISTS)}")
    return Policy.model_validate(given)


def _values(source: YamlSource, node: yaml.Node, field: str, read: Callable[[str], str]) -> tuple[str, ...]:
    items = source.items(node, field)
    if not items:  # an empty list of what is allowed would forbid everything or nothing, depending on the reader
        raise source.error(node, f"{field}: is empty; name at least one or remove the line")
    values = []
    for item in items:
        try:
            values.append(read(source.text(item, field)))
        except ValueError as error:
            raise source.error(item, f"{field}: {error}") from None
    return tuple(dict.fromkeys(values))
