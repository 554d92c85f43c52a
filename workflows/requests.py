"""Sends one request to one model: reserved before, booked after, whatever came of it."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.interfaces import STAGE_ACTIVITIES
    from orchestrator.contracts.calls import CallKey, CallKind, CallRequest, CallResult, PromptParts, StepParts
    from orchestrator.contracts.names import ACTIVITY_PIPELINE_LLM, queue_for
    from orchestrator.contracts.tools import CallRecord
    from orchestrator.domain.base import Frozen
    from orchestrator.domain.calls import Send
    from orchestrator.domain.errors import CallFailure, FailureKind, Fate
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.money import usd
    from orchestrator.domain.pipeline_attempts import PipelineStage
    from orchestrator.domain.settlement import Outcome, Settlement, settle
    from orchestrator.domain.tasks import Stage

from workflows.calling import CallContext
from workflows.driven_context import LOST_ATTEMPTS


class CallSlot(Frozen):
    """The place of a call in the run: its key without the number of the request."""

    task: str
    stage: Stage | PipelineStage
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


def key_of(ctx: CallContext, slot: CallSlot, ask: int) -> CallKey:
    """The key of request number `ask` of a call."""
    return CallKey(
        namespace=ctx.namespace,
        project=ctx.run_id,
        task=slot.task,
        generation=slot.generation,
        stage=slot.stage,
        iteration=slot.iteration,
        role=slot.role,
        ask=ask,
    )


async def wait_for_budget(ctx: CallContext, slot: CallSlot, amount_micro: int) -> None:
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


async def send_request(
    ctx: CallContext,
    slot: CallSlot,
    ask: int,
    send: Send,
    parts: PromptParts | StepParts,
    max_prompt_bytes: int,
    route: Route,
    timeout_s: float | None = None,
) -> CallResult:
    """Reserve, send request number `ask` of a call, book what came of it."""
    key = key_of(ctx, slot, ask)
    timeouts = ctx.spec.timeouts
    request = CallRequest(
        key=key,
        model=send.model,
        parts=parts,
        max_tokens=send.max_tokens,
        max_prompt_bytes=max_prompt_bytes,
        timeout_s=timeout_s,
    )
    doing = f"{slot.stage.value} #{slot.iteration}{f' {slot.role}' if slot.role else ''} {send.model.id}"
    carried = key.text() in ctx.state.ledger.carried
    ctx.state.ledger = ctx.state.ledger.reserve(key.text(), send.amount_micro)
    ctx.state.breakers = ctx.state.breakers.on_send(send.model, key.text())
    ctx.emit("call_started", "; not ".join((doing, *route.passed_over))[:300], slot.task)
    handle = workflow.start_activity(
        ACTIVITY_PIPELINE_LLM if slot.stage is PipelineStage.STEP else STAGE_ACTIVITIES[slot.stage],
        request,
        task_queue=queue_for(send.model, apart=ctx.spec.vendor_queues),
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
    _book(ctx, slot, key, send, result, route, carried)
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


def _book(
    ctx: CallContext, slot: CallSlot, key: CallKey, send: Send, result: CallResult, route: Route, carried: bool
) -> None:
    """Ledger, breaker and logs take the outcome."""
    state, failure = ctx.state, result.failure
    if failure and slot.stage is PipelineStage.STEP:  # the step says how long to wait, unless the vendor does
        failure = failure.model_copy(update={"retry_after_s": failure.retry_after_s or 0.0})
    outcome = Outcome(usage=result.usage, failure=failure, sent=result.kind is not CallKind.TOO_LARGE, carried=carried)
    doing = f"{slot.task} {slot.stage.value}"
    settled = settle(key.text(), doing, send, outcome, state.ledger, state.breakers, ctx.now_s())
    state.ledger, state.breakers = settled.ledger, settled.breakers
    if not outcome.sent:
        return
    for finding in settled.findings:
        ctx.note(finding)
    for scope in settled.opened:
        ctx.emit("breaker_opened", f"{scope}: {state.breakers.circuit(scope).reason}")
    for scope in settled.closed:
        ctx.emit("breaker_closed", scope)
    ctx.spend(slot.task, slot.stage.value, settled.cost_micro, settled.uncertain_micro)
    state.records.append(_record(slot, key, send, result, settled, route, ctx.now_s()))
    text = f"{failure.kind.value}: {failure.message}" if failure else result.preview
    cost = f"${usd(settled.cost_micro):.6f}"
    ctx.emit("call_settled", f"{slot.stage.value} #{slot.iteration} {send.model.id} {cost} {text}", slot.task)


def _record(
    slot: CallSlot, key: CallKey, send: Send, result: CallResult, settled: Settlement, route: Route, ended_s: float
) -> CallRecord:
    usage, critique = result.usage, result.critique
    return CallRecord(
        key=key.text(),
        task=slot.task,
        stage=slot.stage.value,
        iteration=slot.iteration,
        role=slot.role,
        model=send.model.id,
        outcome=result.failure.kind.value if result.failure else "answer",
        cost_micro=settled.cost_micro,
        uncertain_micro=settled.uncertain_micro,
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        latency_ms=result.latency_ms,
        ended_s=ended_s,
        score=critique.score if critique else result.score,
        ranking=route.ranking,
        passed_over=route.passed_over,
    )
