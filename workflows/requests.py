"""Sends one request to one model: reserved before, booked after, whatever came of it."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.interfaces import STAGE_ACTIVITIES
    from orchestrator.contracts.calls import CallKey, CallKind, CallRequest, CallResult, PromptParts
    from orchestrator.contracts.names import queue_for
    from orchestrator.contracts.tools import CallRecord
    from orchestrator.domain.base import Frozen
    from orchestrator.domain.breaker import closed, opened
    from orchestrator.domain.calls import Send
    from orchestrator.domain.errors import CallFailure, FailureKind, Fate
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.money import cost_micro, usd
    from orchestrator.domain.tasks import Stage

from workflows.calling import LOST_ATTEMPTS, CallContext


class CallSlot(Frozen):
    """The place of a call in the run: its key without the number of the request."""

    task: str
    stage: Stage
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


async def send_request(
    ctx: CallContext, slot: CallSlot, ask: int, send: Send, parts: PromptParts, max_prompt_bytes: int, route: Route
) -> CallResult:
    """Reserve, send request number `ask` of a call, book what came of it."""
    key = CallKey(
        namespace=ctx.namespace,
        project=ctx.run_id,
        task=slot.task,
        generation=slot.generation,
        stage=slot.stage,
        iteration=slot.iteration,
        role=slot.role,
        ask=ask,
    )
    timeouts = ctx.spec.timeouts
    request = CallRequest(
        key=key,
        model=send.model,
        parts=parts,
        max_tokens=send.max_tokens,
        max_prompt_bytes=max_prompt_bytes,
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


def _book(ctx: CallContext, slot: CallSlot, key: CallKey, send: Send, result: CallResult, route: Route) -> None:
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


def _health(ctx: CallContext, model: ModelSpec, failure: CallFailure | None) -> None:
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
    slot: CallSlot, key: CallKey, send: Send, result: CallResult, cost_micro_: int, uncertain_micro: int, route: Route
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
