"""JSON schemas of the stages that answer with structured output."""

from copy import deepcopy
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from orchestrator.domain.answers import (
    ArchitectureAnswer,
    CriteriaAnswer,
    Critique,
    Evaluation,
    PlanAnswer,
    SuggestionsAnswer,
)
from orchestrator.domain.apps import AppType
from orchestrator.domain.plan import KNOWN_VALIDATORS
from orchestrator.domain.tasks import Stage

_ANSWERS: dict[Stage, type[BaseModel]] = {
    Stage.ENHANCE: SuggestionsAnswer,
    Stage.ADVISE: ArchitectureAnswer,
    Stage.PLAN: PlanAnswer,
    Stage.CRITIQUE: Critique,
    Stage.EVALUATE: Evaluation,
    Stage.JUDGE: CriteriaAnswer,
}


def schema_for(stage: Stage) -> dict[str, Any] | None:
    """The schema of a stage's answer, None if it answers in files.

    It describes the answer in full; providers reduce it to what their vendor's strict mode accepts.
    """
    return deepcopy(_schema(stage)) if stage in _ANSWERS else None


@lru_cache(maxsize=len(_ANSWERS))
def _schema(stage: Stage) -> dict[str, Any]:
    schema = _ANSWERS[stage].model_json_schema()
    if stage is Stage.ADVISE:
        schema["properties"]["app_type"] = {"type": "string", "enum": [app_type.value for app_type in AppType]}
    if stage is Stage.PLAN:
        task = schema["$defs"]["PlannedTask"]["properties"]
        task["validators"]["items"] = {"type": "string", "enum": list(KNOWN_VALIDATORS)}
    return schema
