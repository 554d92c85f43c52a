"""Schemas in the subset of the strict modes."""

from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from orchestrator.domain.answers import Critique, Evaluation, PlanAnswer
from orchestrator.providers.schemas import strict_schema

ANSWERS: list[type[BaseModel]] = [PlanAnswer, Critique, Evaluation]
FORBIDDEN = ("default", "minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems", "title")


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every object of a schema that is itself a schema."""
    found = [schema]
    for key in ("properties", "$defs"):
        for child in schema.get(key, {}).values():
            found += nodes(child)
    for child in schema.get("anyOf", []):
        found += nodes(child)
    return found + (nodes(schema["items"]) if "items" in schema else [])


@pytest.mark.parametrize("answer", ANSWERS)
def test_objects_are_closed_and_complete(answer: type[BaseModel]) -> None:
    for node in nodes(strict_schema(answer.model_json_schema())):
        assert not set(FORBIDDEN) & set(node)
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_a_valid_answer_stays_valid() -> None:
    schema = strict_schema(Critique.model_json_schema())
    answer = Critique.model_validate({"score": 0.5, "verdict": "revise", "issues": [{"message": "m"}]})
    jsonschema.validate(answer.model_dump(mode="json"), schema)


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}}
    assert strict_schema(schema)["properties"] == {"title": {"type": "string"}}
