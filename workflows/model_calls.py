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
        in_turn,
        is_hopeless,
        passed_over,
    )
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.routing import ProjectModels, Work, ranking

from workflows.context import RunContext
from workflows.requests import CallSlot, Route, key_of, send_request, wait_for_budget

_RANKING_ON_RECORD = 8


async def call_model(
    ctx: RunContext, work: Work, parts: PromptParts, *, generation: int, iteration: int = 1
) -> CallResult | GiveUp:
    """One usable answer, or the reason why there is none. Raises Stopped if the run ends or drains first."""
    if not ctx.vendors():
        return GiveUp(reason="no worker asks models of a vendor that this run may use")
    slot = CallSlot(task=work.task, stage=work.stage, generation=generation, iteration=iteration, role=work.role)
    try:
        return await _until_answered(ctx, slot, work, parts)
    finally:
        if slot.name in ctx.waiters:  # the run or the task stopped meanwhile: nobody may wait behind it
            ctx.waiters.remove(slot.name)


async def _until_answered(ctx: RunContext, slot: CallSlot, work: Work, parts: PromptParts) -> CallResult | GiveUp:
    given = ProjectModels(models=ctx.models(), routing=ctx.routing(), overrides=ctx.state.overrides)
    order = ranking(work, given)
    progress = ctx.state.calls.get(slot.name, CallProgress())
    while True:
        await ctx.gate(slot.task)
        asked = parts.model_copy(update={"previous_error": progress.error})
        limits = CallLimits.of(work.stage, work.type, prompt_bound(work.stage, asked))
        carried = ctx.state.ledger.carried.get(key_of(ctx, slot, progress.ask).text())
        choice = choose(progress, order, limits, ctx.state.ledger, ctx.state.breakers, ctx.now_s(), carried)
        if carried is None:
            choice = in_turn(choice, slot.name, ctx.waiters)
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
                await wait_for_budget(ctx, slot, amount_micro)
            case Send():
                skipped = passed_over(progress, order, choice.model, ctx.state.breakers, ctx.now_s())
                route = Route(
                    ranking=tuple(m.id for m in order[:_RANKING_ON_RECORD]),
                    passed_over=(*skipped, *ctx.forbidden()),
                )
                size = progress.prompt_bytes or limits.prompt_bytes
                result = await send_request(ctx, slot, progress.ask, choice, asked, size, route)
                if result.kind is CallKind.ANSWER:
                    ctx.state.calls.pop(slot.name, None)
                    return result
                progress = _learn(progress, choice, result)
                ctx.state.calls[slot.name] = progress
                if is_hopeless(progress, work.stage):
                    ctx.state.calls.pop(slot.name, None)
                    return GiveUp(reason=f"no usable answer: {progress.last_failure}")


def _learn(progress: CallProgress, send: Send, result: CallResult) -> CallProgress:
    if result.kind is CallKind.TOO_LARGE:
        return progress.model_copy(update={"prompt_bytes": result.prompt_bytes})
    assert result.failure is not None
    return after_failure(progress, send, result.failure)
