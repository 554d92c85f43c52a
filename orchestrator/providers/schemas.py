"""JSON schemas in the subset that the vendors' strict modes accept."""

import json
from typing import Any

_KEPT = ("type", "enum", "const", "description", "format")
_ALTERNATIVES = ("anyOf", "oneOf")


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with closed objects whose properties are all required, and without limits and defaults.

    Limits of length and range are not in every vendor's subset; the stage validates them on the answer. An
    object without declared properties becomes an empty one: strict modes know no free keys.
    """
    if "$ref" in schema:
        strict: dict[str, Any] = {"$ref": schema["$ref"]}
    else:
        strict = {name: schema[name] for name in _KEPT if name in schema}
        for name in _ALTERNATIVES:
            if name in schema:
                strict["anyOf"] = [strict_schema(option) for option in schema[name]]
        if "items" in schema:
            strict["items"] = strict_schema(schema["items"])
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            strict["properties"] = {name: strict_schema(value) for name, value in properties.items()}
            strict["required"] = list(properties)
            strict["additionalProperties"] = False
    if "$defs" in schema:
        strict["$defs"] = {name: strict_schema(value) for name, value in schema["$defs"].items()}
    return strict


def schema_as_text(schema: dict[str, Any]) -> str:
    """The request for an answer that follows `schema`, where the vendor has no field for it."""
    return f"Answer with one JSON object that follows this JSON Schema:\n{json.dumps(strict_schema(schema))}"
