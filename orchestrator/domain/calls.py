"""One logical model call: whom to ask next, for how much, and what a failure changes."""

from collections.abc import Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.errors import CallFailure, FailureKind
from orchestrator.domain.ledger import Ledger, UncertainCharge
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import upper_bound_micro
from orchestrator.domain.quality import min_output_tokens, output_tokens, with_reasoning
from orchestrator.domain.tasks import Stage, TaskType

MAX_ASKS = 24  # an end for calls that every model keeps failing in ever new ways
PATIENCE_S = 5.0  # a vendor that asks for a longer wait is passed over while another one is ready
MAX_TOKEN_FACTOR = 8  # how far the output limit is raised before another model is asked
_INVALID_LIMIT = {Stage.ENHANCE: 2, Stage.ADVISE: 2, Stage.CRITIQUE: 2, Stage.EVALUATE: 2, Stage.JUDGE: 2}
_INVALID_LIMIT_DEFAULT = 3
_SAME_MODEL_AGAIN = 1  # invalid answers after which the same model is shown its error
_UNSUITABLE = frozenset((FailureKind.BAD_REQUEST, FailureKind.REFUSED, FailureKind.FILTERED, FailureKind.EMPTY))


class CallProgress(Frozen):
    """What earlier requests of this call taught. `ask` numbers the next request."""

    ask: int = 1
    unsuitable: tuple[str, ...] = ()  # model ids that cannot serve this call
    context_above: int = 0  # a window of this many tokens was too small
    token_factor: int = 1  # raised after answers that the output limit cut
    invalid: int = 0
    error: str = ""  # why the last answer could not be used
    prompt_bytes: int = 0  # as the activity measured it, where the estimate was too low
    last_failure: str = ""


class Send(Frozen):
    """Ask this model now; `amount_micro` is to be reserved first."""

    model: ModelSpec
    max_tokens: int
    amount_micro: int


class WaitForBudget(Frozen):
    """The request fits once other reservations have settled."""

    amount_micro: int


class WaitUntil(Frozen):
    """The vendor asked for a wait. Workflow time in seconds."""

    time_s: float


class GiveUp(Frozen):
    """Nobody can be asked. `exhausted`: only the budget stood in the way."""

    reason: str
    exhausted: bool = False


Choice = Send | WaitForBudget | WaitUntil | GiveUp


class CallLimits(Frozen):
    """Sizes of a call: bytes of the prompt (one token each at most), output tokens wanted and needed."""

    prompt_bytes: int
    max_tokens: int
    min_tokens: int

    @classmethod
    def of(cls, stage: Stage, task_type: TaskType, prompt_bytes: int) -> "CallLimits":
        """The limits of a stage, for a prompt of this size."""
        return cls(
            prompt_bytes=prompt_bytes,
            max_tokens=output_tokens(stage, task_type),
            min_tokens=min_output_tokens(stage),
        )


def choose(
    progress: CallProgress,
    ranking: tuple[ModelSpec, ...],
    limits: CallLimits,
    ledger: Ledger,
    breakers: Breakers,
    now_s: float,
    carried: UncertainCharge | None = None,
) -> Choice:
    """The next move of a call. `carried`: an earlier run sent this very request, whose outcome is asked for."""
    if progress.ask > MAX_ASKS:
        return GiveUp(reason=f"no usable answer after {MAX_ASKS} requests: {progress.last_failure}")
    if carried is not None and ranking:
        return _again(progress, ranking, limits, carried)
    suitable = [m for m in ranking if m.id not in progress.unsuitable and _takes(m, progress)]
    if not suitable:
        return GiveUp(reason=progress.last_failure or "no model suits this call")
    healthy = [m for m in suitable if breakers.allows(m, now_s)]
    if not healthy:
        return GiveUp(reason=_outage(suitable, breakers) or progress.last_failure or "no vendor is available")
    priced = [m for m in healthy if m.prices]
    if not priced:
        return GiveUp(reason="no available model has a known price")
    return _affordable(progress, priced, limits, ledger, breakers, now_s)


def in_turn(choice: Choice, name: str, waiters: Sequence[str]) -> Choice:
    """The choice of the call `name`, which waits as well while another call waits for budget before it."""
    if isinstance(choice, Send) and waiters and waiters[0] != name:
        return WaitForBudget(amount_micro=choice.amount_micro)
    return choice


def _again(
    progress: CallProgress, ranking: tuple[ModelSpec, ...], limits: CallLimits, carried: UncertainCharge
) -> Send:
    """The request as it was: nothing is sent to the vendor, so neither health nor budget have a say."""
    model = next((model for model in ranking if model.id == carried.model), ranking[0])
    offer = _offer(model, progress.prompt_bytes or limits.prompt_bytes, limits.max_tokens * progress.token_factor)
    return offer.model_copy(update={"amount_micro": carried.amount_micro})


def _affordable(
    progress: CallProgress,
    candidates: list[ModelSpec],
    limits: CallLimits,
    ledger: Ledger,
    breakers: Breakers,
    now_s: float,
) -> Choice:
    prompt_bytes = progress.prompt_bytes or limits.prompt_bytes
    max_tokens = limits.max_tokens * progress.token_factor
    in_order = sorted(candidates, key=lambda model: breakers.retry_at_s(model) > now_s + PATIENCE_S)
    offers = (_offer(model, prompt_bytes, max_tokens) for model in in_order)
    offer = next((offer for offer in offers if ledger.can_ever_fit(offer.amount_micro)), None)
    if offer is None:
        left_micro = ledger.max_micro - ledger.committed_micro
        smaller = (_shrunk(_offer(model, prompt_bytes, max_tokens), prompt_bytes, left_micro) for model in in_order)
        offer = next((offer for offer in smaller if offer.max_tokens >= limits.min_tokens), None)
    if offer is None:
        return GiveUp(reason="the budget does not allow another request", exhausted=True)
    retry_at_s = breakers.retry_at_s(offer.model)
    if retry_at_s > now_s:
        return WaitUntil(time_s=retry_at_s)
    if not ledger.fits(offer.amount_micro):
        return WaitForBudget(amount_micro=offer.amount_micro)
    return offer


def passed_over(
    progress: CallProgress, ranking: tuple[ModelSpec, ...], chosen: ModelSpec, breakers: Breakers, now_s: float
) -> tuple[str, ...]:
    """The models that rank before the chosen one, each with the reason why it is not asked."""
    before = ranking[: ranking.index(chosen)]
    return tuple(f"{model.id}: {_obstacle(model, progress, breakers, now_s)}"[:160] for model in before)


def _obstacle(model: ModelSpec, progress: CallProgress, breakers: Breakers, now_s: float) -> str:
    if model.id in progress.unsuitable:
        return f"gave no usable answer ({progress.last_failure})"
    if not _takes(model, progress):
        return "its context window is too small"
    if not breakers.allows(model, now_s):
        vendor, own = breakers.circuit(model.vendor), breakers.circuit(model.id)
        return f"out of service ({vendor.reason or own.reason or 'a probe is under way'})"
    if not model.prices:
        return "has no known price"
    if breakers.retry_at_s(model) > now_s:
        return "asked for a wait"
    return "does not fit the budget"


def _takes(model: ModelSpec, progress: CallProgress) -> bool:
    return model.context_tokens > progress.context_above


def _offer(model: ModelSpec, prompt_bytes: int, max_tokens: int) -> Send:
    wanted = with_reasoning(max_tokens) if model.reasoning else max_tokens
    tokens = min(wanted, model.max_output_tokens)
    return Send(model=model, max_tokens=tokens, amount_micro=upper_bound_micro(prompt_bytes, tokens, model.prices))


def _shrunk(offer: Send, prompt_bytes: int, left_micro: int) -> Send:
    """The same request with the largest output limit that `left_micro` pays for."""
    low, high = 0, offer.max_tokens
    while low < high:
        middle = (low + high + 1) // 2
        if upper_bound_micro(prompt_bytes, middle, offer.model.prices) <= left_micro:
            low = middle
        else:
            high = middle - 1
    amount = upper_bound_micro(prompt_bytes, low, offer.model.prices)
    return Send(model=offer.model, max_tokens=low if amount <= left_micro else 0, amount_micro=amount)


def _outage(models: list[ModelSpec], breakers: Breakers) -> str:
    """Names every vendor that is out and why, once."""
    reasons: dict[str, str] = {}
    for model in models:
        vendor, own = breakers.circuit(model.vendor), breakers.circuit(model.id)
        reasons.setdefault(model.vendor, vendor.reason or own.reason)
    return "no vendor is available: " + "; ".join(f"{name}: {why or 'open'}" for name, why in reasons.items())


def after_failure(progress: CallProgress, sent: Send, failure: CallFailure) -> CallProgress:
    """What the next request of the call does differently. Waiting and health are the breaker's business."""
    model = sent.model
    update: dict[str, object] = {
        "ask": progress.ask + 1,
        "last_failure": f"{model.id}: {failure.message}"[:200],
    }
    kind = failure.kind
    if kind in _UNSUITABLE:
        update["unsuitable"] = (*progress.unsuitable, model.id)
    elif kind is FailureKind.CONTEXT_TOO_LONG:
        update["context_above"] = max(progress.context_above, model.context_tokens)
    elif kind is FailureKind.TRUNCATED:
        update |= _after_truncation(progress, sent)
    elif kind is FailureKind.INVALID:
        invalid = progress.invalid + 1
        update |= {"invalid": invalid, "error": failure.message[:500]}
        if invalid > _SAME_MODEL_AGAIN:
            update["unsuitable"] = (*progress.unsuitable, model.id)
    return progress.model_copy(update=update)


def _after_truncation(progress: CallProgress, sent: Send) -> dict[str, object]:
    if progress.token_factor >= MAX_TOKEN_FACTOR or sent.max_tokens >= sent.model.max_output_tokens:
        return {"unsuitable": (*progress.unsuitable, sent.model.id)}
    return {"token_factor": progress.token_factor * 2}


def is_hopeless(progress: CallProgress, stage: Stage) -> bool:
    """True if the stage's limit of unusable answers is reached."""
    return progress.invalid >= _INVALID_LIMIT.get(stage, _INVALID_LIMIT_DEFAULT)
