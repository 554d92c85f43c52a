"""Drives one logical model call: choose, reserve, ask, book, until there is an answer or nobody is left."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.interfaces import STAGE_ACTIVITIES
    from orchestrator.contracts.calls import CallKey, CallKind, CallRequest, CallResult, PromptParts
    from orchestrator.contracts.names import queue_for
    from orchestrator.contracts.project import OnExhausted
    from orchestrator.contracts.sizes import prompt_bound
    from orchestrator.contracts.tools import CallRecord
    from orchestrator.domain.base import Frozen
    from orchestrator.domain.breaker import closed, opened
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
    from orchestrator.domain.errors import CallFailure, FailureKind, Fate
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.money import cost_micro, usd
    from orchestrator.domain.quality import min_output_tokens, output_tokens
    from orchestrator.domain.tasks import Stage, TaskType

from workflows.context import LOST_ATTEMPTS, RunContext

PROJECT = "project"  # owner of calls that belong to no task
_RANKING_ON_RECORD = 8


class Slot(Frozen):
    """The place of a call in the run: its key without the number of the request."""

    task: str
    stage: Stage
    task_type: TaskType
    generation: int = 0
    iteration: int = 1
    role: str = ""

    @property
    def name(self) -> str:
        return f"{self.task}/{self.generation}/{self.stage.value}/{self.iteration}/{self.role}"


class Route(Frozen):
    """How the model was chosen: the first candidates, and why those before it were not."""

    ranking: tuple[str, ...]
    passed_over: tuple[str, ...]


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
                result = await _ask(ctx, slot, progress, choice, asked, limits, route)
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


async def _ask(
    ctx: RunContext,
    slot: Slot,
    progress: CallProgress,
    send: Send,
    parts: PromptParts,
    limits: CallLimits,
    route: Route,
) -> CallResult:
    """Reserve, send one request, book what came of it."""
    key = CallKey(
        namespace=ctx.namespace,
        project=ctx.spec.project_id,
        task=slot.task,
        generation=slot.generation,
        stage=slot.stage,
        iteration=slot.iteration,
        role=slot.role,
        ask=progress.ask,
    )
    timeouts = ctx.spec.timeouts
    request = CallRequest(
        key=key,
        model=send.model,
        parts=parts,
        max_tokens=send.max_tokens,
        max_prompt_bytes=progress.prompt_bytes or limits.prompt_bytes,
    )
    doing = f"{slot.stage.value} #{slot.iteration}{f' {slot.role}' if slot.role else ''} {send.model.id}"
    ctx.state.ledger = ctx.state.ledger.reserve(key.text(), send.amount_micro)
    ctx.state.breakers = ctx.state.breakers.on_send(send.model)
    ctx.emit("call_started", "; not ".join((doing, *route.passed_over))[:300], slot.task)
    handle = workflow.start_activity(
        STAGE_ACTIVITIES[slot.stage],
        request,
        task_queue=queue_for(send.model.vendor),
        result_type=CallResult,
        start_to_close_timeout=timedelta(seconds=timeouts.call_s),
        schedule_to_close_timeout=timedelta(seconds=timeouts.give_up_s),
        heartbeat_timeout=timedelta(seconds=timeouts.heartbeat_s),
        retry_policy=LOST_ATTEMPTS,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=f"{slot.task} {doing}",
    )
    try:
        result: CallResult = await ctx.execute(handle, slot.task, doing)
    except (ActivityError, asyncio.CancelledError) as error:  # the latter where it was stopped before it began
        result = _lost(send.model, error)
    _book(ctx, slot, key, send, result, route)
    return result


def _lost(model: ModelSpec, error: ActivityError | asyncio.CancelledError) -> CallResult:
    """The activity itself ended without a result: whether the vendor was asked is unknown."""
    cause = error.__cause__ or error
    cancelled = type(cause).__name__ == "CancelledError"
    return CallResult(
        kind=CallKind.UNCERTAIN,
        model=model.id,
        failure=CallFailure(
            kind=FailureKind.CANCELLED if cancelled else FailureKind.LOST,
            fate=Fate.UNCERTAIN,
            message=f"the call ended without a result: {cause}"[:200],
        ),
    )


def _book(ctx: RunContext, slot: Slot, key: CallKey, send: Send, result: CallResult, route: Route) -> None:
    """Ledger, breaker and logs take the outcome."""
    name, ledger = key.text(), ctx.state.ledger
    if result.kind is CallKind.TOO_LARGE:
        ctx.state.ledger = ledger.release(name)
        ctx.state.breakers = ctx.state.breakers.on_inconclusive(send.model)
        return
    cost, uncertain = 0, 0
    failure = result.failure
    unknown_usage = result.kind is CallKind.ANSWER and result.usage is None
    if result.kind is CallKind.UNCERTAIN or unknown_usage or (failure and failure.fate is Fate.UNCERTAIN):
        ctx.state.ledger = ledger.settle_uncertain(name, send.model.id)
        uncertain = send.amount_micro
        why = failure.message if failure else "the vendor reported no usage"
        ctx.note(f"{slot.task} {slot.stage.value}: booked ${usd(uncertain):.6f} as uncertain: {why}")
    elif result.usage is not None:
        actual = cost_micro(result.usage, send.model.prices)
        ctx.state.ledger = ledger.settle(name, actual)
        cost = min(actual, send.amount_micro)
        if actual > send.amount_micro:
            ctx.note(f"{send.model.id} reported usage of ${usd(actual):.6f}, above the ${usd(cost):.6f} reserved")
    else:
        ctx.state.ledger = ledger.release(name)
    _health(ctx, send.model, failure)
    ctx.spend(slot.task, slot.stage.value, cost, uncertain)
    ctx.state.records.append(_record(slot, key, send, result, cost, uncertain, route))
    outcome = f"{failure.kind.value}: {failure.message}" if failure else result.preview
    ctx.emit(
        "call_settled",
        f"{slot.stage.value} #{slot.iteration} {send.model.id} ${usd(cost):.6f} {outcome}",
        slot.task,
    )


def _health(ctx: RunContext, model: ModelSpec, failure: CallFailure | None) -> None:
    before = ctx.state.breakers
    if failure is None:
        after = before.on_success(model)
    else:
        after = before.on_failure(model, failure.kind, ctx.now_s(), failure.retry_after_s, failure.message)
    ctx.state.breakers = after
    for scope in opened(before, after):
        ctx.emit("breaker_opened", f"{scope}: {after.circuit(scope).reason}")
        ctx.note(f"{scope} was out of service ({after.circuit(scope).reason}); other models took over")
    for scope in closed(before, after):
        ctx.emit("breaker_closed", scope)


def _record(
    slot: Slot, key: CallKey, send: Send, result: CallResult, cost_micro_: int, uncertain_micro: int, route: Route
) -> CallRecord:
    usage = result.usage
    return CallRecord(
        key=key.text(),
        task=slot.task,
        stage=slot.stage.value,
        iteration=slot.iteration,
        role=slot.role,
        model=send.model.id,
        outcome=result.failure.kind.value if result.failure else "answer",
        cost_micro=cost_micro_,
        uncertain_micro=uncertain_micro,
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        latency_ms=result.latency_ms,
        ranking=route.ranking,
        passed_over=route.passed_over,
    )


def _learn(progress: CallProgress, send: Send, result: CallResult) -> CallProgress:
    if result.kind is CallKind.TOO_LARGE:
        return progress.model_copy(update={"prompt_bytes": result.prompt_bytes})
    assert result.failure is not None
    return after_failure(progress, send, result.failure)
