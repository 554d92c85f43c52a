"""summary.json: the result of a run for machines, and the mark by which an export is known again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from orchestrator.contracts.project import ProjectView, TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.base import Frozen
from orchestrator.domain.money import usd
from orchestrator.domain.refs import FileRef

SUMMARY_NAME = "summary.json"


class Exported(Frozen):
    """What a summary.json says about the folder that it lies in. `files` maps paths to their sha256."""

    project_id: str
    files: dict[str, str]


class ModelTotals(Frozen):
    """All calls of one model."""

    model: str
    calls: int = 0
    cost_micro: int = 0
    uncertain_micro: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


def write_summary(view: ProjectView, calls: Sequence[CallRecord], files: Sequence[FileRef]) -> bytes:
    """summary.json of a run. `files` are all files beside it. Amounts are USD, exact to the micro-dollar."""
    content: dict[str, Any] = {
        "project_id": view.project_id,
        "workflow_id": view.workflow_id,
        "status": view.status.value,
        "simulated": view.simulated,
        "reason": view.reason,
        "spent_usd": usd(view.spent_micro),
        "uncertain_usd": usd(view.uncertain_micro),
        "max_usd": usd(view.max_micro),
        "quality_score": view.quality_score,
        "calls": view.calls,
        "elapsed_s": round(view.elapsed_s, 3),
        "sandbox": view.sandbox,
        "notes": list(view.notes),
        "stages_usd": {stage: usd(amount) for stage, amount in stage_costs(view).items()},
        "models": [_model(totals) for totals in model_totals(calls)],
        "tasks": [_task(task) for task in view.tasks],
        "criteria": [criterion.model_dump(exclude={"file"}) for criterion in view.criteria],
        "files": [file.model_dump() for file in files],
    }
    content["sha256"] = _digest(content)
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def read_summary(data: bytes) -> Exported | None:
    """What the summary.json says; None where it is not one of ours, or was edited."""
    try:
        content = json.loads(data)
        if not isinstance(content, dict) or content.pop("sha256", None) != _digest(content):
            return None
        files = {file["path"]: file["sha256"] for file in content["files"]}
        return Exported(project_id=content["project_id"], files=files)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return None


def stage_costs(view: ProjectView) -> dict[str, int]:
    """Micro-USD per stage, of all tasks and of calls that belong to none, ordered by name."""
    totals: dict[str, int] = {}
    for costs in (view.spent_by_stage, *(task.spent_by_stage for task in view.tasks)):
        for stage, amount in costs.items():
            totals[stage] = totals.get(stage, 0) + amount
    return dict(sorted(totals.items()))


def model_totals(calls: Iterable[CallRecord]) -> list[ModelTotals]:
    """Sums per model, ordered by name."""
    totals: dict[str, ModelTotals] = {}
    for call in calls:
        sums = totals.get(call.model, ModelTotals(model=call.model))
        totals[call.model] = ModelTotals(
            model=call.model,
            calls=sums.calls + 1,
            cost_micro=sums.cost_micro + call.cost_micro,
            uncertain_micro=sums.uncertain_micro + call.uncertain_micro,
            input_tokens=sums.input_tokens + call.input_tokens,
            output_tokens=sums.output_tokens + call.output_tokens,
        )
    return [totals[model] for model in sorted(totals)]


def _model(totals: ModelTotals) -> dict[str, Any]:
    return {
        "id": totals.model,
        "calls": totals.calls,
        "spent_usd": usd(totals.cost_micro),
        "uncertain_usd": usd(totals.uncertain_micro),
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
    }


def _task(task: TaskView) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "type": task.type.value,
        "status": task.status,
        "score": task.score,
        "model": task.model,
        "reviewer": task.reviewer,
        "iterations": task.iterations,
        "spent_usd": usd(task.spent_micro),
        "uncertain_usd": usd(task.uncertain_micro),
        "stages_usd": {stage: usd(amount) for stage, amount in sorted(task.spent_by_stage.items())},
        "files": list(task.files),
        "reason": task.reason,
    }


def _digest(content: dict[str, Any]) -> str:
    """Digest of the summary without its own digest, so that an edited one is noticed."""
    canonical = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
