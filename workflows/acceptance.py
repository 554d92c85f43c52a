"""Success criteria one by one: those that no tool decides are judged by a model once the tools are content."""

from pydantic import TypeAdapter
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import ContextDraft, PromptParts
    from orchestrator.contracts.tools import CheckOutcome
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.criteria import criteria_findings, open_numbers, unmet, with_judgements
    from orchestrator.domain.findings import Finding
    from orchestrator.domain.integration import ProjectCheck
    from orchestrator.domain.routing import Work
    from orchestrator.domain.tasks import PROJECT, Stage, TaskType

from workflows.base import base
from workflows.context import RunContext
from workflows.model_calls import call_model
from workflows.records import store_text

_FINDINGS = TypeAdapter(tuple[Finding, ...])


async def accept(ctx: RunContext, check: ProjectCheck, outcome: CheckOutcome) -> ProjectCheck:
    """The check together with what a judge says; it passes only if every criterion holds."""
    state = ctx.state
    state.criteria = outcome.criteria
    if not check.passed or not state.criteria:
        return check
    numbers = open_numbers(state.criteria)
    if numbers:
        await _judge(ctx, numbers, outcome)
    missed, undecided = unmet(state.criteria), open_numbers(state.criteria)
    held = len(state.criteria) - len(missed) - len(undecided)
    ctx.emit("criteria", f"{held} of {len(state.criteria)} criteria hold")
    if missed:
        findings = criteria_findings(missed)
        return check.model_copy(
            update={
                "passed": False,
                "findings": len(findings),
                "summary": f"{len(missed)} criteria do not hold, first: {missed[0].text}"[:200],
                "detail": await store_text(ctx, _FINDINGS.dump_json(findings).decode(), "criteria that do not hold"),
                "paths": tuple(dict.fromkeys(finding.path for finding in findings if finding.path)),
            }
        )
    if undecided:
        first = state.criteria[undecided[0] - 1].text
        return check.model_copy(update={"unchecked": f"nobody could tell whether this holds: {first}"[:200]})
    return check


async def _judge(ctx: RunContext, numbers: tuple[int, ...], outcome: CheckOutcome) -> None:
    state = ctx.state
    assert state.prepared is not None
    drafts = [(task.id, task.title, best.draft) for task in state.plan if (best := ctx.task(task.id).best)]
    parts = PromptParts(
        project=state.prepared.project,
        criteria=state.prepared.criteria,
        questions=tuple(f"{number}. {state.criteria[number - 1].text}" for number in numbers),
        evidence=tuple(f"{verdict.validator}: {verdict.status.value}" for verdict in outcome.verdicts),
        context=(
            *(ContextDraft(task=task, title=title, draft=draft) for task, title, draft in drafts),
            *(ContextDraft(task=PROJECT, title="files that no task wrote", draft=draft) for draft in base(ctx)),
        ),
    )
    work = Work(task=PROJECT, type=TaskType.EVALUATION, stage=Stage.JUDGE)
    result = await call_model(ctx, work, parts, generation=state.generation, iteration=state.integration.round + 1)
    if isinstance(result, GiveUp):
        state.exhausted = state.exhausted or result.exhausted
        ctx.emit("call_refused", f"judge: {result.reason}")
        ctx.note(f"criteria were not judged: {result.reason}")
        return
    state.criteria = with_judgements(state.criteria, result.criteria, result.model)
