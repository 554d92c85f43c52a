"""What a complete answer means to its stage: a plan, files, a critique or a score, put into the store."""

from typing import Any

from orchestrator.artifacts.manifest import read_draft, write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallRequest, CritiqueSummary
from orchestrator.domain.answer_files import parse_files
from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.answers import Critique, Evaluation, PlanAnswer, PlannedTask, Verdict
from orchestrator.domain.plan import check_plan, known_validators, owned_path
from orchestrator.domain.tasks import Stage, TaskSpec
from orchestrator.prompts.answers import parse_structured

_MENDING = (Stage.REVISE, Stage.REPAIR)  # answers of these stages may leave out files that exist
_SHOWN_ERRORS = 4


async def understand(store: ArtifactStore, request: CallRequest, text: str) -> dict[str, Any]:
    """The fields of a CallResult that the answer fills, `notes` included.

    Raises AnswerError, with one line for the model, where the stage cannot use the answer.
    """
    match request.key.stage:
        case Stage.PLAN:
            return await _plan(store, text)
        case Stage.CRITIQUE:
            return await _critique(store, text)
        case Stage.EVALUATE:
            evaluation, notes = parse_structured(text, Evaluation)
            return {"score": evaluation.score, "notes": notes}
        case _:
            return await _draft(store, request, text)


async def _plan(store: ArtifactStore, text: str) -> dict[str, Any]:
    answer, notes = parse_structured(text, PlanAnswer)
    errors = check_plan(answer.tasks)
    if errors:
        more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
        raise AnswerError(f"the plan cannot be carried out: {'; '.join(errors[:_SHOWN_ERRORS])}{more}")
    plan = []
    for task in answer.tasks:
        spec, unknown = await _spec(store, task)
        plan.append(spec)
        notes += tuple(f"task {task.id}: validator {name!r} does not exist" for name in unknown)
    return {"plan": tuple(plan), "notes": notes}


async def _spec(store: ArtifactStore, task: PlannedTask) -> tuple[TaskSpec, tuple[str, ...]]:
    validators, unknown = known_validators(task.validators)
    spec = TaskSpec(
        id=task.id,
        title=task.title,
        type=task.type,
        dependencies=tuple(dict.fromkeys(task.dependencies)),
        files=tuple(dict.fromkeys(owned_path(path) for path in task.files)),
        validators=validators,
        prompt=await store.put(task.prompt.encode(errors="replace")),
    )
    return spec, unknown


async def _critique(store: ArtifactStore, text: str) -> dict[str, Any]:
    critique, notes = parse_structured(text, Critique)
    return {
        "critique": CritiqueSummary(
            score=critique.score, revise=critique.verdict is Verdict.REVISE, issues=len(critique.issues)
        ),
        "critique_ref": await store.put_json(critique.model_dump(mode="json")),
        "notes": notes,
    }


async def _draft(store: ArtifactStore, request: CallRequest, text: str) -> dict[str, Any]:
    task, before = request.parts.task, request.parts.draft
    targets = task.files if task else ()
    kept: dict[str, bytes] = {}
    if before is not None and request.key.stage in _MENDING:
        draft = await read_draft(store, before)
        kept = {path: content for path, content in draft.items() if path in targets}
    parsed = parse_files(text, targets, kept=kept)
    written = {path: content.encode() for path, content in parsed.files.items()}
    return {"draft": await write_draft(store, {**kept, **written}), "notes": parsed.notes}
