"""Attempts of one llm step: whom to ask next, when, and what a failure changes. Times are workflow time in seconds."""

from enum import StrEnum

from orchestrator.domain import calls
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import TRANSIENT, Breakers, CircuitState
from orchestrator.domain.calls import CallLimits, CallProgress, Choice, GiveUp, Send, WaitUntil, choose
from orchestrator.domain.errors import CallFailure, FailureKind
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.pipeline import DEFAULT_MAX_TOKENS, LlmStep, RetryPolicy

RETRY_ON = TRANSIENT  # what is tried again where a step does not say
_MIN_TOKENS = 256
_PROBE_S = 0.5  # a probe of another step is under way: when to look again


class PipelineStage(StrEnum):
    """The stage of calls that belong to a pipeline's step."""

    STEP = "step"


class Attempts(Frozen):
    """What earlier requests of a step taught. `retries`: further attempts that the model in turn has had."""

    progress: CallProgress = CallProgress()
    retries: int = 0
    retry_at_s: float = 0.0
    made: int = 0  # requests that failed
    last: FailureKind | None = None


def limits_of(step: LlmStep, prompt_bytes: int) -> CallLimits:
    """The sizes of a step's call. A limit that the step states is never lowered to fit the budget."""
    wanted = step.max_tokens or DEFAULT_MAX_TOKENS
    least = step.max_tokens or min(_MIN_TOKENS, wanted)
    return CallLimits(prompt_bytes=prompt_bytes, max_tokens=wanted, min_tokens=least)


def next_attempt(
    attempts: Attempts,
    step: LlmStep,
    models: tuple[ModelSpec, ...],
    limits: CallLimits,
    ledger: Ledger,
    breakers: Breakers,
    now_s: float,
) -> tuple[Attempts, Choice]:
    """The next move. `models` are the step's own and its fallbacks, in order; those that failed for good are passed.

    A model whose circuit is open is passed at once; a retry that the step has granted it is its probe, and goes out
    all the same. Where nobody is left, a remaining retry is spent on waiting for the end of the outage.
    """
    choice = choose(attempts.progress, models, limits, ledger, _with_probe(attempts, models, breakers), now_s)
    if isinstance(choice, Send | WaitUntil) and attempts.retry_at_s > now_s:
        return attempts, WaitUntil(time_s=attempts.retry_at_s)
    if not isinstance(choice, GiveUp) or choice.exhausted:
        return attempts, choice
    back_s = [_back_at_s(model, breakers, now_s) for model in models if model.id not in attempts.progress.unsuitable]
    if back_s and attempts.progress.ask <= calls.MAX_ASKS and attempts.retries < step.retry.max_retries:
        waiting = attempts.model_copy(update={"retries": attempts.retries + 1, "retry_at_s": min(back_s)})
        return waiting, WaitUntil(time_s=waiting.retry_at_s)
    return attempts, GiveUp(reason=attempts.progress.last_failure or choice.reason)


def after_attempt(attempts: Attempts, step: LlmStep, sent: Send, failure: CallFailure, now_s: float) -> Attempts:
    """What the next request does differently: the same model after a delay, or the next one at once."""
    learned = calls.after_failure(attempts.progress, sent, failure)
    changed = attempts.model_copy(update={"progress": learned, "made": attempts.made + 1, "last": failure.kind})
    if failure.kind is FailureKind.LOST or _another_word(step, learned, sent, failure):
        return changed
    others = tuple(name for name in learned.unsuitable if name != sent.model.id)
    if failure.kind in (step.retry.retry_on or RETRY_ON) and attempts.retries < step.retry.max_retries:
        retried = {
            "progress": learned.model_copy(update={"unsuitable": others}),
            "retries": attempts.retries + 1,
            "retry_at_s": now_s + max(step.retry.delay_s(attempts.retries), failure.retry_after_s or 0.0),
        }
        return changed.model_copy(update=retried)
    passed = learned.model_copy(update={"unsuitable": (*others, sent.model.id)})
    return changed.model_copy(update={"progress": passed, "retries": 0, "retry_at_s": 0.0})


def transform_delay_s(retry: RetryPolicy, failures: int, kind: FailureKind) -> float | None:
    """Seconds before a transform that failed `failures` times is tried again; None where it has failed for good."""
    if failures > retry.max_retries or (retry.retry_on and kind not in retry.retry_on):
        return None
    return retry.delay_s(failures - 1)


def _with_probe(attempts: Attempts, models: tuple[ModelSpec, ...], breakers: Breakers) -> Breakers:
    """The circuits as a step's own retry finds them: those of the model in turn let it through, if none is probed."""
    in_turn = next((model for model in models if model.id not in attempts.progress.unsuitable), None)
    if in_turn is None or attempts.last is None or not attempts.retries:
        return breakers
    scopes = (in_turn.vendor, in_turn.id)
    kept = {
        scope: circuit
        for scope, circuit in breakers.circuits.items()
        if scope not in scopes or circuit.state is CircuitState.HALF_OPEN
    }
    return Breakers(circuits=kept)


def _another_word(step: LlmStep, learned: CallProgress, sent: Send, failure: CallFailure) -> bool:
    """The same model again, which costs no retry: with a higher limit, or shown why its JSON was not the schema's."""
    if sent.model.id in learned.unsuitable:
        return False
    return failure.kind is FailureKind.INVALID or (failure.kind is FailureKind.TRUNCATED and step.max_tokens is None)


def _back_at_s(model: ModelSpec, breakers: Breakers, now_s: float) -> float:
    """When a model that is out may be asked again."""
    circuits = [breakers.circuit(scope) for scope in (model.vendor, model.id)]
    ends = [each.open_until_s for each in circuits if each.state is CircuitState.OPEN]
    return max([*ends, now_s + _PROBE_S])
