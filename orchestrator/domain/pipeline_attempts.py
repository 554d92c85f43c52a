"""Attempts of one llm step: whom to ask next, when, and what a failure changes. Times are workflow time in seconds."""

from enum import StrEnum

from orchestrator.domain import calls
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import TRANSIENT, Breakers
from orchestrator.domain.calls import CallLimits, CallProgress, Choice, GiveUp, Send, WaitUntil, choose
from orchestrator.domain.errors import CallFailure, FailureKind
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.pipeline import DEFAULT_MAX_TOKENS, LlmStep, RetryPolicy

RETRY_ON = TRANSIENT  # what is tried again where a step does not say
_MIN_TOKENS = 256
# Not the doing of the model: the request was lost on our side, and costs no retry.
_OUR_LOSS = frozenset((FailureKind.LOST,))


class PipelineStage(StrEnum):
    """The stage of calls that belong to a pipeline's step."""

    STEP = "step"


class Attempts(Frozen):
    """What earlier requests of a step taught. `retries`: further attempts that the model in turn has had."""

    progress: CallProgress = CallProgress()
    retries: int = 0
    retry_at_s: float = 0.0
    last: FailureKind | None = None
    made: int = 0  # requests that were sent


def limits_of(step: LlmStep, prompt_bytes: int) -> CallLimits:
    """The sizes of a step's call. A limit that the step states is never lowered to fit the budget."""
    wanted = step.max_tokens or DEFAULT_MAX_TOKENS
    return CallLimits(
        prompt_bytes=prompt_bytes,
        max_tokens=wanted,
        min_tokens=step.max_tokens or min(_MIN_TOKENS, wanted),
    )


def next_request(
    attempts: Attempts,
    models: tuple[ModelSpec, ...],
    limits: CallLimits,
    ledger: Ledger,
    breakers: Breakers,
    now_s: float,
) -> Choice:
    """The next move. `models` are the step's own and its fallbacks, in order; those that failed for good are passed."""
    choice = choose(attempts.progress, models, limits, ledger, breakers, now_s)
    if isinstance(choice, GiveUp) and not choice.exhausted and attempts.progress.last_failure:
        return GiveUp(reason=attempts.progress.last_failure)
    if isinstance(choice, Send) and attempts.retries and attempts.retry_at_s > now_s:
        return WaitUntil(time_s=attempts.retry_at_s)
    return choice


def after_failure(attempts: Attempts, step: LlmStep, sent: Send, failure: CallFailure, now_s: float) -> Attempts:
    """What the next request does differently: the same model after a delay, or the next one at once."""
    learned = calls.after_failure(attempts.progress, sent, failure)
    changed = attempts.model_copy(update={"progress": learned, "last": failure.kind, "made": attempts.made + 1})
    if failure.kind in _OUR_LOSS or _worth_another_word(learned, sent, failure):
        return changed
    if failure.kind in (step.retry.retry_on or RETRY_ON) and attempts.retries < step.retry.max_retries:
        delay_s = max(step.retry.delay_s(attempts.retries), failure.retry_after_s or 0.0)
        kept = tuple(name for name in learned.unsuitable if name != sent.model.id)
        return changed.model_copy(
            update={
                "progress": learned.model_copy(update={"unsuitable": kept}),
                "retries": attempts.retries + 1,
                "retry_at_s": now_s + delay_s,
            }
        )
    passed = (*(name for name in learned.unsuitable if name != sent.model.id), sent.model.id)
    return changed.model_copy(
        update={"progress": learned.model_copy(update={"unsuitable": passed}), "retries": 0, "retry_at_s": 0.0}
    )


def _worth_another_word(learned: CallProgress, sent: Send, failure: CallFailure) -> bool:
    """An answer that was cut off gets a higher limit, and one that broke its schema is shown the error, once."""
    return failure.kind in (FailureKind.TRUNCATED, FailureKind.INVALID) and sent.model.id not in learned.unsuitable


def transform_delay_s(retry: RetryPolicy, failures: int, kind: FailureKind) -> float | None:
    """Seconds before a transform that failed `failures` times is tried again; None where it has failed for good."""
    if failures > retry.max_retries or (retry.retry_on and kind not in retry.retry_on):
        return None
    return retry.delay_s(failures - 1)
