"""The JSON Schema of project files, for editors: made of the shape that reads them."""

import json
from typing import Any

from orchestrator.client.project_shape import ProjectShape

SCHEMA_PAGE = "docs/project.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOISE = ("title", "default")


def project_schema() -> str:
    """The schema as JSON text, as it is committed in docs/project.schema.json."""
    schema = _plain(ProjectShape.model_json_schema())
    return json.dumps({"$schema": _DIALECT, "title": "Project file", **schema}, indent=2, ensure_ascii=False) + "\n"


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without names that nobody asked for, and without null: a name without a value is an error."""
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _NOISE and not isinstance(value, dict):
            continue
        if name == "default":
            continue
        if name == "anyOf":
            choices = [_plain(one) for one in value if one != {"type": "null"}]
            found.update(choices[0] if len(choices) == 1 else {"anyOf": choices})
        elif name in ("properties", "$defs"):
            found[name] = {key: _plain(one) for key, one in value.items()}
        else:
            found[name] = _plain_value(value)
    return found


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain(value)
    return [_plain_value(one) for one in value] if isinstance(value, list) else value
