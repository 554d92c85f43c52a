"""Success criteria one by one: those that no tool decides are judged by a model once the tools are content."""

from pydantic import TypeAdapter
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import ContextDraft, PromptParts
    from orchestrator.contracts.tools import CheckOutcome
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.criteria import CriterionResult, criteria_findings, open_numbers, with_judgements
    from orchestrator.domain.findings import Finding
    from orchestrator.domain.integration import ProjectCheck, main_author, with_criteria
    from orchestrator.domain.routing import Work
    from orchestrator.domain.tasks import PROJECT, Stage, TaskType

from workflows.context import RunContext
from workflows.foundation import base
from workflows.model_calls import call_model
from workflows.records import store_text

_FINDINGS = TypeAdapter(tuple[Finding, ...])


async def accept(ctx: RunContext, check: ProjectCheck, outcome: CheckOutcome) -> ProjectCheck:
    """The check together with what a judge says; it passes only if every criterion holds."""
    criteria = outcome.criteria
    if not check.passed or not criteria:
        return check.model_copy(update={"criteria": criteria})
    if open_numbers(criteria):
        criteria = await _judged(ctx, criteria, outcome)
    ctx.emit("criteria", f"{sum(one.met is True for one in criteria)} of {len(criteria)} criteria hold")
    judged = with_criteria(check, criteria)
    if judged.passed:
        return judged
    findings = _FINDINGS.dump_json(criteria_findings(criteria)).decode()
    return judged.model_copy(update={"detail": await store_text(ctx, findings, "criteria that do not hold")})


async def _judged(
    ctx: RunContext, criteria: tuple[CriterionResult, ...], outcome: CheckOutcome
) -> tuple[CriterionResult, ...]:
    state = ctx.state
    assert state.prepared is not None
    versions = [(task, best) for task in state.plan if (best := ctx.task(task.id).best)]
    parts = PromptParts(
        project=state.prepared.project,
        criteria=state.prepared.criteria,
        questions=tuple(f"{number}. {criteria[number - 1].text}" for number in open_numbers(criteria)),
        evidence=tuple(f"{verdict.validator}: {verdict.status.value}" for verdict in outcome.verdicts),
        context=(
            *(ContextDraft(task=task.id, title=task.title, draft=best.draft) for task, best in versions),
            *(ContextDraft(task=PROJECT, title="files that no task wrote", draft=draft) for draft in base(ctx)),
        ),
    )
    author = main_author(state.tasks)
    work = Work(task=PROJECT, type=TaskType.EVALUATION, stage=Stage.JUDGE, author=author)
    result = await call_model(ctx, work, parts, generation=state.generation, iteration=state.integration.round + 1)
    if isinstance(result, GiveUp):
        state.exhausted = state.exhausted or result.exhausted
        ctx.emit("call_refused", f"judge: {result.reason}")
        ctx.note(f"criteria were not judged: {result.reason}")
        return criteria
    return with_judgements(criteria, result.criteria, result.model)
