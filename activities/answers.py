"""What a stage makes of a model's answer: plan, files, critique or score."""

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

_SHOWN_ERRORS = 5


async def understand(store: ArtifactStore, request: CallRequest, text: str) -> dict[str, Any] | str:
    """Fields of a CallResult, texts already in the store; or, in one line for the model, why it cannot be used."""
    try:
        match request.key.stage:
            case Stage.PLAN:
                return await _plan(store, text)
            case Stage.CRITIQUE:
                return await _critique(store, text)
            case Stage.EVALUATE:
                evaluation, notes = parse_structured(text, Evaluation)
                return {"score": evaluation.score, "notes": notes}
            case Stage.GENERATE | Stage.REVISE | Stage.REPAIR:
                return await _files(store, request, text)
    except AnswerError as error:
        return str(error)


async def _plan(store: ArtifactStore, text: str) -> dict[str, Any]:
    answer, notes = parse_structured(text, PlanAnswer)
    errors = check_plan(answer.tasks)
    if errors:
        raise AnswerError("; ".join(errors[:_SHOWN_ERRORS]))
    tasks = []
    for planned in answer.tasks:
        known, unknown = known_validators(planned.validators)
        if unknown:
            notes = (*notes, f"{planned.id}: unknown validators dropped: {', '.join(unknown)}"[:200])
        tasks.append(
            TaskSpec(
                id=planned.id,
                title=planned.title,
                type=planned.type,
                dependencies=tuple(dict.fromkeys(planned.dependencies)),
                files=_owned(planned),
                validators=known,
                prompt=await store.put(planned.prompt.encode()),
            )
        )
    return {"plan": tuple(tasks), "notes": notes}


def _owned(planned: PlannedTask) -> tuple[str, ...]:
    """The task's files; a task that names none, such as a review, delivers a document."""
    return tuple(owned_path(path) for path in planned.files) or (f"docs/{planned.id}.md",)


async def _critique(store: ArtifactStore, text: str) -> dict[str, Any]:
    critique, notes = parse_structured(text, Critique)
    ref = await store.put(critique.model_dump_json().encode())
    summary = CritiqueSummary(
        score=critique.score, revise=critique.verdict is Verdict.REVISE, issues=len(critique.issues)
    )
    return {"critique": summary, "critique_ref": ref, "notes": notes}


async def _files(store: ArtifactStore, request: CallRequest, text: str) -> dict[str, Any]:
    """The answer's files; a revision may leave out those that it does not change."""
    task, draft = request.parts.task, request.parts.draft
    if task is None:
        raise AnswerError("no task")
    mends = request.key.stage is not Stage.GENERATE and draft is not None
    existing = await read_draft(store, draft) if mends and draft is not None else {}
    parsed = parse_files(text, task.files, kept=existing)
    files = existing | {path: content.encode() for path, content in parsed.files.items()}
    return {"draft": await write_draft(store, files), "notes": parsed.notes}
