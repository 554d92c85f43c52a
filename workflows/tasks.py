"""Runs tasks: each performs the steps that the step machine asks for; the schedule says which starts when."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import CallResult, ContextDraft, PromptParts, TaskBrief
    from orchestrator.contracts.names import ACTIVITY_VALIDATE
    from orchestrator.contracts.tools import CheckInput, CheckOutcome
    from orchestrator.domain import steps
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.quality import TypeRules, rules_for
    from orchestrator.domain.routing import work_of
    from orchestrator.domain.schedule import ready, remaining_path, skip_hopeless, upstream
    from orchestrator.domain.steps import Check, Review, Step, TaskState, TaskStatus
    from orchestrator.domain.tasks import PROJECT, Stage, TaskSpec

from workflows.context import RunContext
from workflows.driven_context import Stopped
from workflows.foundation import base
from workflows.model_calls import call_model


class Refused(Exception):
    """The budget, of `max_micro` at that time, does not allow the step."""

    def __init__(self, reason: str, max_micro: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.max_micro = max_micro


async def run_tasks(ctx: RunContext) -> None:
    """Run the plan until every task has a final status, or the run stops."""
    running: dict[str, asyncio.Task[None]] = {}
    plan: tuple[TaskSpec, ...] = ()
    length: dict[str, int] = {}
    while True:
        for task_id, state in skip_hopeless(ctx.state.plan, ctx.state.tasks).items():
            ctx.set_task(task_id, state)
        if plan is not ctx.state.plan:
            plan = ctx.state.plan
            length = remaining_path(plan)
        open_tasks = [t for t in plan if ctx.task(t.id).status is TaskStatus.RUNNING and t.id not in running]
        waiting = open_tasks + ready(plan, ctx.state.tasks, length)
        if not ctx.must_stop and not ctx.paused:
            for task in waiting[: max(0, ctx.state.concurrency - len(running))]:
                ctx.set_task(task.id, steps.start(ctx.task(task.id)))
                running[task.id] = asyncio.create_task(run_task(ctx, task), name=task.id)
        if not running and (ctx.must_stop or not waiting):
            return

        def something_changed(revision: int = ctx.revision) -> bool:
            if any(job.done() for job in running.values()) or ctx.revision != revision:
                return True
            return ctx.must_stop and not running

        await workflow.wait_condition(something_changed)
        for task_id in [task_id for task_id, job in running.items() if job.done()]:
            await running.pop(task_id)


async def run_task(ctx: RunContext, task: TaskSpec) -> None:
    """Perform steps until the task has a final status, or the run stops."""
    rules = rules_for(task.type, ctx.spec.quality_targets)
    refused: Refused | None = None
    while wanted := steps.next_steps(ctx.task(task.id)):
        outcomes = await asyncio.gather(*(_perform(ctx, task, step) for step in wanted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Stopped | Refused):
                raise outcome
        refused = next((outcome for outcome in outcomes if isinstance(outcome, Refused)), None)
        if refused and ctx.state.ledger.max_micro > refused.max_micro:
            refused = None  # the budget was raised while the other steps went on
        if refused or any(isinstance(outcome, Stopped) for outcome in outcomes):
            break
    state = ctx.task(task.id)
    if task.id in ctx.cancelled_tasks:  # whoever asked was told that it is skipped: it is, even if it got done just now
        del ctx.cancelled_tasks[task.id]
        ctx.forget_calls(task.id)
        ctx.set_task(task.id, steps.skip(state, "skipped by the user", by_user=True))
    elif state.status not in steps.FINAL and (refused or ctx.state.stopped is not None):
        ctx.state.exhausted = ctx.state.exhausted or refused is not None
        ctx.state.suspended[task.id] = state
        ctx.set_task(task.id, steps.finish(state, refused.reason if refused else ctx.state.stop_reason, rules))


async def _perform(ctx: RunContext, task: TaskSpec, step: Step) -> None:
    """Perform one step and put its outcome into the task's state."""
    rules = rules_for(task.type, ctx.spec.quality_targets)
    if step.stage is None:
        check = await _validate(ctx, task)
        ctx.set_task(task.id, steps.checked(ctx.task(task.id), check, rules))
        return
    state = ctx.task(task.id)
    parts = parts_for(ctx, task, state, step.stage)
    result = await call_model(
        ctx, work_of(task, state, step), parts, generation=state.generation, iteration=state.iteration
    )
    state = ctx.task(task.id)
    if isinstance(result, GiveUp):
        ctx.emit("call_refused", f"{step.stage.value}: {result.reason}", task.id)
        if result.exhausted:
            raise Refused(result.reason, ctx.state.ledger.max_micro)
        ctx.set_task(task.id, steps.unanswered(state, step, result.reason, rules))
    else:
        ctx.set_task(task.id, _answered(state, step, result, rules))


def _answered(state: TaskState, step: Step, result: CallResult, rules: TypeRules) -> TaskState:
    if result.draft is not None:
        return steps.drafted(state, result.draft, result.model)
    if result.critique is not None:
        review = Review(
            revise=result.critique.revise,
            score=result.critique.score,
            reviewer=result.model,
            critique=result.critique_ref,
        )
        return steps.reviewed(state, review, rules)
    return steps.judged(state, step.role, result.score, rules)


def parts_for(ctx: RunContext, task: TaskSpec, state: TaskState, stage: Stage) -> PromptParts:
    """References to what the stage's prompt is made of."""
    prepared = ctx.state.prepared
    assert prepared is not None
    version = (state.best or state.current) if stage is Stage.GENERATE else state.current
    review = state.review
    sees_verdicts = stage in (Stage.GENERATE, Stage.REVISE)
    return PromptParts(
        project=prepared.project,
        criteria=prepared.criteria,
        task=brief(task),
        context=context_of(ctx, task),
        draft=version.draft if version else None,
        findings=version.check.findings if version and version.check and sees_verdicts else None,
        critique=review.critique if review and sees_verdicts else None,
        guidance=ctx.guidance(task.id),
        existing=ctx.state.scaffold.listing if ctx.state.scaffold else None,
        attempts=state.attempts if stage is Stage.GENERATE else (),
    )


def brief(task: TaskSpec) -> TaskBrief:
    """What a prompt says about a task."""
    return TaskBrief(id=task.id, title=task.title, type=task.type, files=task.files, prompt=task.prompt)


def context_of(ctx: RunContext, task: TaskSpec) -> tuple[ContextDraft, ...]:
    """The user's own files, and the results of the task's direct dependencies."""
    given = ctx.spec.files
    found = [ContextDraft(task=PROJECT, title="files that the user gave", draft=given)] if given else []
    for dependency in task.dependencies:
        shown = ctx.task(dependency).shown
        if shown is not None:
            found.append(ContextDraft(task=dependency, title=ctx.spec_of(dependency).title, draft=shown.draft))
    return tuple(found)


async def _validate(ctx: RunContext, task: TaskSpec) -> Check:
    """The validators' word on the current draft, together with everything that it builds on."""
    await ctx.gate(task.id)
    current = ctx.task(task.id).current
    assert current is not None
    if not task.validators:
        return Check(passed=True, summary="no validators")
    everything = upstream(ctx.state.plan, (task.id,), len(ctx.state.plan))
    below = [shown.draft for name in everything if name != task.id and (shown := ctx.task(name).shown)]
    given = CheckInput(
        drafts=(*base(ctx), *below, current.draft),
        own=current.draft.paths,
        validators=task.validators,
        policy=ctx.spec.dependencies,
        architecture=ctx.state.architecture,
    )
    summary = f"{task.id} validate #{ctx.task(task.id).iteration}"
    handle = ctx.start_tool(ACTIVITY_VALIDATE, given, CheckOutcome, summary)
    try:
        outcome: CheckOutcome = await ctx.execute(handle, task.id, "validate")
    except (ActivityError, asyncio.CancelledError) as error:
        if ctx.must_stop or task.id in ctx.cancelled_tasks:
            raise Stopped from None
        return Check(passed=True, unchecked=f"checks could not run: {error.__cause__ or error}"[:200])
    ctx.emit("validated", outcome.summary, task.id)
    note_unsafe(ctx, outcome)
    return Check(
        passed=outcome.passed,
        unchecked=outcome.unchecked,
        summary=outcome.summary,
        findings=outcome.findings,
    )


def note_unsafe(ctx: RunContext, outcome: CheckOutcome) -> None:
    """Every result says it when code ran without a sandbox."""
    if outcome.unsafe:
        ctx.note("generated code ran WITHOUT a sandbox (ORCH_SANDBOX=unsafe)")
