"""JSON schemas of the stages that answer with structured output."""

from copy import deepcopy
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from orchestrator.domain.answers import Critique, Evaluation, PlanAnswer
from orchestrator.domain.plan import KNOWN_VALIDATORS
from orchestrator.domain.tasks import Stage

_ANSWERS: dict[Stage, type[BaseModel]] = {
    Stage.PLAN: PlanAnswer,
    Stage.CRITIQUE: Critique,
    Stage.EVALUATE: Evaluation,
}
_DROPPED = ("default", "title")  # strict modes know no defaults; titles only repeat the names


def schema_for(stage: Stage) -> dict[str, Any] | None:
    """The strict schema of a stage's answer: closed objects, every property required. None if it answers in files."""
    answer = _ANSWERS.get(stage)
    return None if answer is None else deepcopy(_schema(answer))


@lru_cache(maxsize=len(_ANSWERS))
def _schema(answer: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = _strict(answer.model_json_schema())
    if answer is PlanAnswer:
        task = schema["$defs"]["PlannedTask"]["properties"]
        task["validators"]["items"] = {"type": "string", "enum": list(KNOWN_VALIDATORS)}
    return schema


def _strict(node: Any, names: bool = False) -> Any:
    """`node` closed. `names`: its keys are names of properties or definitions, not keywords."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {name: _strict(value) for name, value in node.items()}
    strict = {
        keyword: _strict(value, names=keyword in ("properties", "$defs"))
        for keyword, value in node.items()
        if keyword not in _DROPPED
    }
    if strict.get("type") == "object":
        strict["additionalProperties"] = False
        strict["required"] = list(strict.get("properties", {}))
    return strict
