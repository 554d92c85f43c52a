"""What a stage makes of a model's answer: plan, files, critique or score."""

from typing import Any

from orchestrator.artifacts.manifest import read_draft, write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallRequest, CritiqueSummary, PromptParts
from orchestrator.domain.advising import advice
from orchestrator.domain.answer_files import parse_files
from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.answers import (
    ArchitectureAnswer,
    CriteriaAnswer,
    Critique,
    Evaluation,
    PlanAnswer,
    UncheckedSuggestions,
    Verdict,
)
from orchestrator.domain.apps import Dependencies
from orchestrator.domain.criteria import MAX_CRITERIA
from orchestrator.domain.enhancing import SUGGESTIONS, suggested, usable
from orchestrator.domain.plan import check_plan, known_validators, planned_spec
from orchestrator.domain.tasks import Stage
from orchestrator.prompts.answers import parse_structured
from orchestrator.scaffolds import dependency_problems
from orchestrator.validators.fixes import fixed
from orchestrator.validators.sandbox import Sandbox

_SHOWN_ERRORS = 5
_MENDING = (Stage.REVISE, Stage.REPAIR)


async def understand(store: ArtifactStore, sandbox: Sandbox, request: CallRequest, text: str) -> dict[str, Any]:
    """Fields of a CallResult, `notes` among them, texts already in the store.

    Raises AnswerError, with one line for the model, where the stage cannot use the answer.
    """
    stage = request.key.stage
    assert isinstance(stage, Stage)
    match stage:
        case Stage.ENHANCE:
            return await _suggestions(store, text)
        case Stage.ADVISE:
            answer, notes = parse_structured(text, ArchitectureAnswer)
            architecture, remarks = advice(answer)
            return {"architecture": architecture, "notes": (*notes, *remarks)}
        case Stage.PLAN:
            return await _plan(store, text)
        case Stage.CRITIQUE:
            return await _critique(store, text)
        case Stage.EVALUATE:
            evaluation, notes = parse_structured(text, Evaluation)
            return {"score": evaluation.score, "notes": notes}
        case Stage.JUDGE:
            judged, notes = parse_structured(text, CriteriaAnswer)
            return {"criteria": tuple(judged.results[:MAX_CRITERIA]), "notes": notes}
        case Stage.GENERATE | Stage.REVISE | Stage.REPAIR:
            return await _files(store, sandbox, request, text)


async def _suggestions(store: ArtifactStore, text: str) -> dict[str, Any]:
    answer, notes = parse_structured(text, UncheckedSuggestions)
    found, dropped = usable(answer.suggestions)
    if dropped and not found:
        raise AnswerError(dropped[0])
    ref = await store.put(SUGGESTIONS.dump_json(found))
    return {"suggestions": suggested(found), "suggestions_ref": ref, "notes": (*notes, *dropped)}


async def _plan(store: ArtifactStore, text: str) -> dict[str, Any]:
    answer, notes = parse_structured(text, PlanAnswer)
    errors = check_plan(answer.tasks)
    if errors:
        raise AnswerError("; ".join(errors[:_SHOWN_ERRORS]))
    packages = Dependencies(python=tuple(answer.packages.python), node=tuple(answer.packages.node))
    problems = dependency_problems(packages)
    if problems:
        raise AnswerError("; ".join(f"packages: {problem}" for problem in problems[:_SHOWN_ERRORS]))
    tasks = []
    for planned in answer.tasks:
        _, unknown = known_validators(planned.validators)
        if unknown:
            notes = (*notes, f"{planned.id}: unknown validators dropped: {', '.join(unknown)}")
        tasks.append(planned_spec(planned, await store.put(planned.prompt.encode())))
    return {"plan": tuple(tasks), "packages": packages, "notes": notes}


async def _critique(store: ArtifactStore, text: str) -> dict[str, Any]:
    critique, notes = parse_structured(text, Critique)
    ref = await store.put(critique.model_dump_json().encode())
    summary = CritiqueSummary(
        score=critique.score, revise=critique.verdict is Verdict.REVISE, issues=len(critique.issues)
    )
    return {"critique": summary, "critique_ref": ref, "notes": notes}


async def _files(store: ArtifactStore, sandbox: Sandbox, request: CallRequest, text: str) -> dict[str, Any]:
    """The answer's files; a revision may leave out those that it does not change."""
    assert isinstance(request.parts, PromptParts)
    task, draft = request.parts.task, request.parts.draft
    targets = task.files if task else ()
    kept: dict[str, bytes] = {}
    if draft is not None and request.key.stage in _MENDING:
        existing = await read_draft(store, draft)
        kept = {path: content for path, content in existing.items() if path in targets}
    parsed = parse_files(text, targets, kept=kept)
    files = kept | {path: content.encode() for path, content in parsed.files.items()}
    return {"draft": await write_draft(store, await fixed(files, sandbox)), "notes": parsed.notes}
