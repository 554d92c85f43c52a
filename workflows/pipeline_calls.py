"""Asks the model of a step, again and others where the step says so, until there is an answer or nobody is left."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import CallKind, CallResult, StepParts
    from orchestrator.contracts.pipeline import step_prompt_bound
    from orchestrator.domain.calls import GiveUp, Send, WaitForBudget, WaitUntil, in_turn, passed_over
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.pipeline import LlmStep
    from orchestrator.domain.pipeline_attempts import (
        Attempts,
        PipelineStage,
        after_attempt,
        limits_of,
        next_attempt,
    )

from workflows.pipeline_context import PipelineContext, label
from workflows.requests import CallSlot, Route, send_request, wait_for_budget


async def ask_step(ctx: PipelineContext, instance: str, step: LlmStep) -> CallResult | GiveUp:
    """One usable answer, or the reason why there is none. Raises Stopped if the run ends or drains first."""
    slot = CallSlot(task=label(instance), stage=PipelineStage.STEP, generation=ctx.state.generation)
    models = ctx.ranking(step.name)
    if not models:
        return GiveUp(reason=_nobody(ctx, step))
    try:
        return await _until_answered(ctx, slot, instance, step, models)
    finally:
        if slot.name in ctx.waiters:  # the run stopped meanwhile: nobody may wait behind it
            ctx.waiters.remove(slot.name)


async def _until_answered(
    ctx: PipelineContext, slot: CallSlot, instance: str, step: LlmStep, models: tuple[ModelSpec, ...]
) -> CallResult | GiveUp:
    values = ctx.values(instance)
    sizes = ctx.sizes(values)
    attempts = ctx.state.attempts.get(instance, Attempts())
    while True:
        await ctx.gate(slot.task)
        error = attempts.progress.error
        size = attempts.progress.prompt_bytes or step_prompt_bound(step, sizes, error)
        attempts, choice = next_attempt(
            attempts, step, models, limits_of(step, size), ctx.state.ledger, ctx.state.breakers, ctx.now_s()
        )
        ctx.state.attempts[instance] = attempts
        choice = in_turn(choice, slot.name, ctx.waiters)
        if not isinstance(choice, WaitForBudget) and slot.name in ctx.waiters:
            ctx.waiters.remove(slot.name)
        match choice:
            case GiveUp():
                return choice
            case WaitUntil(time_s=time_s):
                await ctx.wait_until(time_s, slot.task)
            case WaitForBudget(amount_micro=amount_micro):
                await wait_for_budget(ctx, slot, amount_micro)
            case Send():
                parts = StepParts(
                    pipeline=ctx.prepared.pipeline, step=step.name, values=tuple(values.items()), previous_error=error
                )
                route = _route(ctx, attempts, models, choice.model)
                result = await send_request(
                    ctx, slot, attempts.progress.ask, choice, parts, size, route, step.timeout_seconds
                )
                ctx.learn(step.name, result)
                if result.kind is CallKind.ANSWER:
                    del ctx.state.attempts[instance]
                    return result
                attempts = _after(ctx, attempts, step, choice, result)
                ctx.state.attempts[instance] = attempts


def _after(ctx: PipelineContext, attempts: Attempts, step: LlmStep, sent: Send, result: CallResult) -> Attempts:
    if result.kind is CallKind.TOO_LARGE:
        progress = attempts.progress.model_copy(update={"prompt_bytes": result.prompt_bytes})
        return attempts.model_copy(update={"progress": progress})
    assert result.failure is not None
    return after_attempt(attempts, step, sent, result.failure, ctx.now_s())


def _route(ctx: PipelineContext, attempts: Attempts, models: tuple[ModelSpec, ...], chosen: ModelSpec) -> Route:
    skipped = passed_over(attempts.progress, models, chosen, ctx.state.breakers, ctx.now_s())
    return Route(ranking=tuple(model.id for model in models), passed_over=skipped)


def _nobody(ctx: PipelineContext, step: LlmStep) -> str:
    forbidden = {line.split(": ", 1)[0]: line for line in ctx.forbidden()}
    reasons = [
        forbidden.get(name, f"{name}: no access, its vendor has no key here") for name in ctx.spec.choices[step.name]
    ]
    return "; ".join(reasons)[:200]
