"""Drives one logical model call: choose, reserve, ask, book, until there is an answer or nobody is left."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import CallKind, CallResult, PromptParts
    from orchestrator.contracts.project import OnExhausted
    from orchestrator.contracts.sizes import prompt_bound
    from orchestrator.domain.calls import (
        CallLimits,
        CallProgress,
        GiveUp,
        Send,
        WaitForBudget,
        WaitUntil,
        after_failure,
        choose,
        is_hopeless,
        passed_over,
    )
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.quality import min_output_tokens, output_tokens
    from orchestrator.domain.tasks import TaskType

from workflows.context import RunContext
from workflows.requests import CallSlot, Route, send_request

PROJECT = "project"  # owner of calls that belong to no task
_RANKING_ON_RECORD = 8


class Slot(CallSlot):
    """The place of a call of a task, whose type sets its limits."""

    task_type: TaskType


async def call_model(
    ctx: RunContext, slot: Slot, ranking: tuple[ModelSpec, ...], parts: PromptParts
) -> CallResult | GiveUp:
    """One usable answer, or the reason why there is none. Raises Stopped if the run ends or drains first."""
    try:
        return await _until_answered(ctx, slot, ranking, parts)
    finally:
        if slot.name in ctx.waiters:  # the run or the task stopped meanwhile: nobody may wait behind it
            ctx.waiters.remove(slot.name)


async def _until_answered(
    ctx: RunContext, slot: Slot, ranking: tuple[ModelSpec, ...], parts: PromptParts
) -> CallResult | GiveUp:
    progress = ctx.state.calls.get(slot.name, CallProgress())
    while True:
        await ctx.gate(slot.task)
        asked = parts.model_copy(update={"previous_error": progress.error})
        limits = CallLimits(
            prompt_bytes=prompt_bound(slot.stage, asked),
            max_tokens=output_tokens(slot.stage, slot.task_type),
            min_tokens=min_output_tokens(slot.stage),
        )
        choice = choose(progress, ranking, limits, ctx.state.ledger, ctx.state.breakers, ctx.now_s())
        if isinstance(choice, Send) and ctx.waiters and ctx.waiters[0] != slot.name:
            choice = WaitForBudget(amount_micro=choice.amount_micro)
        if not isinstance(choice, WaitForBudget) and slot.name in ctx.waiters:
            ctx.waiters.remove(slot.name)
        match choice:
            case GiveUp(exhausted=True) if ctx.spec.on_exhausted is OnExhausted.PAUSE:
                ctx.hold(Hold.BUDGET, f"{slot.task} {slot.stage.value} needs a larger budget")
            case GiveUp(exhausted=True):
                return choice  # what was learned stays: a larger budget lets the call go on
            case GiveUp():
                ctx.state.calls.pop(slot.name, None)
                return choice
            case WaitUntil(time_s=time_s):
                await ctx.wait_until(time_s, slot.task)
            case WaitForBudget(amount_micro=amount_micro):
                await _wait_for_budget(ctx, slot, amount_micro)
            case Send():
                skipped = passed_over(progress, ranking, choice.model, ctx.state.breakers, ctx.now_s())
                route = Route(
                    ranking=tuple(m.id for m in ranking[:_RANKING_ON_RECORD]),
                    passed_over=(*skipped, *ctx.forbidden()),
                )
                size = progress.prompt_bytes or limits.prompt_bytes
                result = await send_request(ctx, slot, progress.ask, choice, asked, size, route)
                if result.kind is CallKind.ANSWER:
                    ctx.state.calls.pop(slot.name, None)
                    return result
                progress = _learn(progress, choice, result)
                ctx.state.calls[slot.name] = progress
                if is_hopeless(progress, slot.stage):
                    ctx.state.calls.pop(slot.name, None)
                    return GiveUp(reason=f"no usable answer: {progress.last_failure}")


async def _wait_for_budget(ctx: RunContext, slot: Slot, amount_micro: int) -> None:
    """Until this call is the first that waits and its amount fits, or can never fit, or the run stops."""
    if slot.name not in ctx.waiters:
        ctx.waiters.append(slot.name)

    def may_go_on() -> bool:
        ledger = ctx.state.ledger
        first = ctx.waiters[0] == slot.name
        return (
            ctx.must_stop
            or slot.task in ctx.cancelled_tasks
            or (first and ledger.fits(amount_micro))
            or not ledger.can_ever_fit(amount_micro)
        )

    await workflow.wait_condition(may_go_on)


def _learn(progress: CallProgress, send: Send, result: CallResult) -> CallProgress:
    if result.kind is CallKind.TOO_LARGE:
        return progress.model_copy(update={"prompt_bytes": result.prompt_bytes})
    assert result.failure is not None
    return after_failure(progress, send, result.failure)
