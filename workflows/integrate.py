"""Integration: all files together, whole-project checks, repair rounds; then scores for what they saved."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import PromptParts
    from orchestrator.contracts.names import ACTIVITY_CHECK
    from orchestrator.contracts.tools import CheckInput, CheckOutcome
    from orchestrator.domain import steps
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.findings import CheckStatus
    from orchestrator.domain.integration import ProjectCheck, after_check, drafts, repaired_one, validators
    from orchestrator.domain.quality import rules_for
    from orchestrator.domain.reopening import unfinished
    from orchestrator.domain.routing import repair_of
    from orchestrator.domain.steps import Check, TaskStatus
    from orchestrator.domain.tasks import PROJECT

from workflows.acceptance import accept
from workflows.context import RunContext
from workflows.driven_context import Stopped
from workflows.foundation import base, install
from workflows.model_calls import call_model
from workflows.tasks import brief, context_of, note_unsafe, run_task


async def integrate(ctx: RunContext) -> None:
    """Check and repair until the project passes, nothing more can be done, or the run stops."""
    state = ctx.state
    while not state.integration.done:
        await ctx.gate()
        if unfinished(state.tasks):  # an operator wants some task done again
            return
        if state.integration.pending:
            await _repair_round(ctx)
            continue
        check = await _check(ctx)
        if unfinished(state.tasks):
            return
        integration, restored = after_check(state.integration, check, state.plan, state.tasks)
        for task_id, draft in restored.items():
            best = ctx.task(task_id).best
            if best is not None:
                author = state.integration.authors.get(task_id, best.author)
                ctx.set_task(task_id, steps.repaired(ctx.task(task_id), draft, author))
        state.integration = integration
        ctx.emit("integrated", check.summary or ("passed" if check.passed else "failed"))
    found = state.integration.best
    if found is not None and found.passed and not found.unchecked:
        await _score_saved(ctx)


async def _check(ctx: RunContext) -> ProjectCheck:
    state, spec = ctx.state, ctx.spec
    found = tuple(drafts(state.plan, state.tasks).values())
    if not found:
        return ProjectCheck(passed=True, summary="nothing to check")
    criteria = state.prepared.criteria if spec.judge_criteria and state.prepared else None
    try:
        await install(ctx, found)
        everything = (*base(ctx), *found)
        paths = [path for draft in everything for path in draft.paths]
        own = ("commands",) if spec.commands else ()
        names = tuple(dict.fromkeys((*validators(state.plan, paths), *spec.validators, *own)))
        if not names and criteria is None:
            return ProjectCheck(passed=True, summary="nothing to check")
        handle = ctx.start_tool(
            ACTIVITY_CHECK,
            CheckInput(
                drafts=everything,
                validators=names,
                policy=spec.dependencies,
                architecture=state.architecture,
                commands=spec.commands,
                criteria=criteria,
            ),
            CheckOutcome,
            f"whole project, round {state.integration.round}",
        )
        outcome: CheckOutcome = await ctx.execute(handle, PROJECT, "check")
    except (ActivityError, asyncio.CancelledError) as error:
        if ctx.must_stop:
            raise Stopped from None
        return ProjectCheck(
            passed=True, unchecked=f"the project could not be checked: {error.__cause__ or error}"[:200]
        )
    note_unsafe(ctx, outcome)
    check = ProjectCheck(
        passed=outcome.passed,
        tools_passed=outcome.passed,
        findings=sum(v.findings for v in outcome.verdicts if v.status is CheckStatus.FAILED),
        unchecked=outcome.unchecked,
        summary=outcome.summary,
        detail=outcome.findings,
        paths=outcome.paths,
    )
    return await accept(ctx, check, outcome)


async def _repair_round(ctx: RunContext) -> None:
    """Repair all tasks of the round side by side. Raises Stopped if the run stops before they are through."""
    slots = asyncio.Semaphore(ctx.state.concurrency)

    async def one(task_id: str) -> None:
        async with slots:
            if task_id in ctx.state.integration.pending:  # unless an operator wants some task done again
                await _repair(ctx, task_id)

    outcomes = await asyncio.gather(
        *(one(task_id) for task_id in ctx.state.integration.pending), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _repair(ctx: RunContext, task_id: str) -> None:
    task, state, prepared = ctx.spec_of(task_id), ctx.task(task_id), ctx.state.prepared
    assert state.best is not None and prepared is not None
    integration = ctx.state.integration
    parts = PromptParts(
        project=prepared.project,
        criteria=prepared.criteria,
        task=brief(task),
        context=context_of(ctx, task),
        draft=state.best.draft,
        findings=integration.best.detail if integration.best else None,
        guidance=ctx.guidance(task_id),
        existing=ctx.state.scaffold.listing if ctx.state.scaffold else None,
    )
    work = repair_of(task, state, integration.round)
    result = await call_model(ctx, work, parts, generation=ctx.state.generation, iteration=integration.round)
    if isinstance(result, GiveUp):
        ctx.state.exhausted = ctx.state.exhausted or result.exhausted
        ctx.emit("call_refused", f"repair: {result.reason}", task_id)
    elif result.draft is not None and ctx.task(task_id).generation == state.generation:  # not retried meanwhile
        ctx.set_task(task_id, steps.repaired(ctx.task(task_id), result.draft, result.model))
    ctx.state.integration = repaired_one(ctx.state.integration, task_id)


async def _score_saved(ctx: RunContext) -> None:
    """Tasks whose own check failed, perhaps through another's fault, get their score now that all passes."""
    check = ctx.state.integration.best
    assert check is not None
    saved = [
        task
        for task in ctx.state.plan
        if (state := ctx.task(task.id)).status is TaskStatus.FAILED and state.best is not None
    ]
    for task in saved:
        verdict = Check(passed=True, unchecked=check.unchecked, summary="passes with the whole project")
        ctx.set_task(task.id, steps.rejudge(ctx.task(task.id), verdict, rules_for(task.type, ctx.spec.quality_targets)))
    unfinished = [task for task in ctx.state.plan if ctx.task(task.id).status is TaskStatus.RUNNING]
    await asyncio.gather(*(run_task(ctx, task) for task in unfinished))
    if any(ctx.task(task.id).status is TaskStatus.RUNNING for task in unfinished):
        raise Stopped
