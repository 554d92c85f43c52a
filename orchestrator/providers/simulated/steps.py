"""What a simulated model answers to a pipeline's step."""

import json
from typing import Any

_MAX_ECHO = 80
_MAX_DEPTH = 20
_EXAMPLES: dict[str, Any] = {
    "string": "sample",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
    "array": [],
    "object": {},
}


def step_answer(model: str, prompt: str, schema: dict[str, Any] | None) -> str:
    """A text that says who answers what; with a schema, JSON that fits it."""
    if schema is not None:
        return json.dumps(example_of(schema))
    line = " ".join(prompt.split())
    shown = line if len(line) <= _MAX_ECHO else f"{line[:_MAX_ECHO]}..."
    return f"[Simulated answer of {model}] {shown}"


def example_of(schema: dict[str, Any]) -> Any:
    """A small value that fits a JSON schema, where the schema states types, bounds, choices and what is required."""
    return _example(schema, schema, 0)


def _example(schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return None
    target = schema.get("$ref", "")
    if isinstance(target, str) and target.startswith("#/"):
        found: Any = root
        for part in target[2:].split("/"):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        return _example(found if isinstance(found, dict) else {}, root, depth + 1)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for given in ("enum", "examples"):
        if schema.get(given):
            return schema[given][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _example(schema[choice][0], root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(properties[name], root, depth + 1) for name in properties}
        case "array":
            count = max(1, int(schema.get("minItems", 1)))
            items = schema.get("items")
            return [_example(items, root, depth + 1) for _ in range(count)] if isinstance(items, dict) else []
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            most = schema.get("maximum", least)
            return min(least, most) if kind == "number" else int(min(least, most))
        case "string":
            text = "sample".ljust(int(schema.get("minLength", 0)), "e")
            return text[: int(schema["maxLength"])] if "maxLength" in schema else text
    return _EXAMPLES.get(kind)
