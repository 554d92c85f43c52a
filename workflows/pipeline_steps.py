"""Runs the steps of a pipeline: does what the step machine asks for, and gives it every outcome back."""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.pipeline import AssembleInput, StepOutcome
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.errors import FailureKind
    from orchestrator.domain.pipeline import LlmStep, TransformStep
    from orchestrator.domain.pipeline_attempts import transform_delay_s
    from orchestrator.domain.pipeline_machine import (
        Action,
        ActionKind,
        actions,
        completed,
        expanded,
        expired,
        is_over,
        next_deadline_s,
        tested,
    )
    from orchestrator.domain.text import one_line

from workflows.driven_context import Stopped
from workflows.pipeline_calls import ask_step
from workflows.pipeline_context import PipelineContext, label

MAX_AT_ONCE = 64  # instances under way; a for_each has its own limit besides


async def run_steps(ctx: PipelineContext) -> None:
    """Run until every step has a final status, one has failed, or the run stops; what has begun is finished first."""
    running: dict[str, asyncio.Task[None]] = {}
    while True:
        _expire(ctx)
        if not ctx.must_stop and not ctx.paused:
            for action in actions(ctx.plan, ctx.state.progress):
                if action.instance not in running and len(running) < MAX_AT_ONCE:
                    running[action.instance] = asyncio.create_task(_perform(ctx, action), name=action.instance)
        if not running and (ctx.must_stop or is_over(ctx.plan, ctx.state.progress)):
            return

        def something_changed(revision: int = ctx.revision) -> bool:
            if any(job.done() for job in running.values()) or ctx.revision != revision:
                return True
            return ctx.must_stop and not running

        await _wait(ctx, something_changed)
        for instance in [instance for instance, job in running.items() if job.done()]:
            await running.pop(instance)


async def _wait(ctx: PipelineContext, condition: Callable[[], bool]) -> None:
    """Until the condition holds, or a group of steps is out of time."""
    deadline_s = None if ctx.paused else next_deadline_s(ctx.plan, ctx.state.progress)
    if deadline_s is None or ctx.state.progress.failed:
        await workflow.wait_condition(condition)
        return
    try:
        left_s = max(0.001, deadline_s - ctx.clock_s())
        await workflow.wait_condition(condition, timeout=left_s, timeout_summary="time limit of a group of steps")
    except TimeoutError:
        return


def _expire(ctx: PipelineContext) -> None:
    """Groups that are out of time fail, and what they have in flight is cancelled."""
    before = ctx.state.progress
    after = before if before.failed else expired(ctx.plan, before, ctx.clock_s())
    if after is not before:
        ctx.advance(after)
        ctx.state.timed_out = True
        ctx.cancel_below(label(after.failed))


async def _perform(ctx: PipelineContext, action: Action) -> None:
    """Do it and take over what came of it; an action that was stopped is done again by the next execution."""
    try:
        await _do(ctx, action)
    except Stopped:
        return
    except ActivityError as error:
        cause = error.cause
        reason = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
        ctx.fail(action.instance, one_line(reason))


async def _do(ctx: PipelineContext, action: Action) -> None:
    instance, step = action.instance, ctx.plan.step_of(action.instance)
    match action.kind:
        case ActionKind.ASK:
            assert isinstance(step, LlmStep)
            await _ask(ctx, instance, step)
        case ActionKind.COMPUTE:
            assert isinstance(step, TransformStep)
            await _compute(ctx, instance, step)
        case ActionKind.TEST:
            outcome = await _computed(ctx, names.ACTIVITY_PIPELINE_TEST, instance)
            if _succeeded(ctx, instance, outcome):
                ctx.advance(tested(ctx.plan, ctx.state.progress, instance, outcome.holds, ctx.clock_s()))
        case ActionKind.EXPAND:
            outcome = await _computed(ctx, names.ACTIVITY_PIPELINE_EXPAND, instance)
            if _succeeded(ctx, instance, outcome) and outcome.value:
                progress, value = ctx.state.progress, outcome.value
                ctx.advance(expanded(ctx.plan, progress, instance, value, outcome.count, ctx.clock_s()))
        case ActionKind.ASSEMBLE:
            given = AssembleInput(parts=action.parts, as_list=action.as_list)
            name, summary = names.ACTIVITY_PIPELINE_ASSEMBLE, f"{label(instance)} output"
            outcome = await ctx.tool(name, given, StepOutcome, summary)
            _complete(ctx, instance, outcome)


async def _ask(ctx: PipelineContext, instance: str, step: LlmStep) -> None:
    result = await ask_step(ctx, instance, step)
    if isinstance(result, GiveUp):
        attempts = ctx.state.attempts.pop(instance, None)
        ctx.state.exhausted = ctx.state.exhausted or result.exhausted
        ctx.state.timed_out = ctx.state.timed_out or (attempts is not None and attempts.last is FailureKind.TIMEOUT)
        ctx.emit("call_refused", result.reason, label(instance))
        ctx.fail(instance, result.reason)
        return
    assert result.value is not None
    for note in result.notes:
        ctx.note(f"{step.name}: {note}")
    ctx.advance(completed(ctx.plan, ctx.state.progress, instance, result.value, ctx.clock_s()))


async def _compute(ctx: PipelineContext, instance: str, step: TransformStep) -> None:
    failures = 0
    while True:
        outcome = await _computed(ctx, names.ACTIVITY_PIPELINE_TRANSFORM, instance)
        ctx.learn_computed(step.name, outcome)
        if not outcome.error:
            break
        failures += 1
        kind = FailureKind.TIMEOUT if outcome.timed_out else FailureKind.INVALID
        delay_s = transform_delay_s(step.retry, failures, kind)
        if delay_s is None:
            break
        ctx.emit("task_retried", f"{outcome.error}; again in {delay_s:g} s", label(instance))
        await ctx.wait_until(ctx.now_s() + delay_s, label(instance))
        await ctx.gate(label(instance))
    _complete(ctx, instance, outcome)


async def _computed(ctx: PipelineContext, activity: str, instance: str) -> StepOutcome:
    await ctx.gate(label(instance))
    summary = f"{label(instance)} {activity.partition('.')[2]}"
    outcome: StepOutcome = await ctx.tool(activity, ctx.step_input(instance), StepOutcome, summary)
    return outcome


def _complete(ctx: PipelineContext, instance: str, outcome: StepOutcome) -> None:
    if _succeeded(ctx, instance, outcome) and outcome.value:
        ctx.advance(completed(ctx.plan, ctx.state.progress, instance, outcome.value, ctx.clock_s()))


def _succeeded(ctx: PipelineContext, instance: str, outcome: StepOutcome) -> bool:
    if outcome.error:
        ctx.state.timed_out = ctx.state.timed_out or outcome.timed_out
        ctx.fail(instance, outcome.error)
    return not outcome.error
