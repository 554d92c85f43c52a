"""What one settled request changes: money, health, and what the result has to say of it. Amounts are micro-USD."""

from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers, closed, opened
from orchestrator.domain.calls import Send
from orchestrator.domain.errors import CallFailure, Fate
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro, usd


class Outcome(Frozen):
    """How a request ended, as far as money and health go. `sent`: False where the vendor was never asked.

    `carried`: an earlier run sent it, so it may have been paid for whatever stood in the way of asking again.
    """

    usage: Usage | None = None
    failure: CallFailure | None = None
    sent: bool = True
    carried: bool = False

    @property
    def uncertain(self) -> bool:
        """Nobody knows what it cost."""
        fate = self.failure.fate if self.failure else Fate.BILLED
        unknown = (Fate.UNCERTAIN, Fate.UNBILLED) if self.carried else (Fate.UNCERTAIN,)
        return fate in unknown or (fate is Fate.BILLED and self.usage is None)


class Settlement(Frozen):
    """Where a request leaves the run. `findings` are for the result; `opened` and `closed` name circuits."""

    ledger: Ledger
    breakers: Breakers
    cost_micro: int = 0
    uncertain_micro: int = 0
    findings: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def settle(
    key: str, doing: str, send: Send, outcome: Outcome, ledger: Ledger, breakers: Breakers, now_s: float
) -> Settlement:
    """Settle the request `key`, which is reserved in `ledger`. `doing` says in findings what it was for."""
    if not outcome.sent:
        back = ledger.carry(key, send.model.id) if outcome.carried else ledger.release(key)
        return Settlement(ledger=back, breakers=breakers.on_inconclusive(send.model, key))
    booked = _booked(key, doing, send, outcome, ledger, breakers)
    after = _health(key, send.model, outcome.failure, breakers, now_s)
    gone = opened(breakers, after)
    outages = (f"{scope} was out of service ({after.circuit(scope).reason}); other models took over" for scope in gone)
    return booked.model_copy(
        update={
            "breakers": after,
            "findings": (*booked.findings, *outages),
            "opened": gone,
            "closed": closed(breakers, after),
        }
    )


def _booked(key: str, doing: str, send: Send, outcome: Outcome, ledger: Ledger, breakers: Breakers) -> Settlement:
    if outcome.uncertain:
        why = outcome.failure.message if outcome.failure else "the vendor reported no usage"
        return Settlement(
            ledger=ledger.settle_uncertain(key, send.model.id),
            breakers=breakers,
            uncertain_micro=send.amount_micro,
            findings=(f"{doing}: booked ${usd(send.amount_micro):.6f} as uncertain: {why}",),
        )
    if outcome.usage is None:
        return Settlement(ledger=ledger.release(key), breakers=breakers)
    actual = cost_micro(outcome.usage, send.model.prices)
    cost = min(actual, send.amount_micro)
    above = f"{send.model.id} reported usage of ${usd(actual):.6f}, above the ${usd(cost):.6f} reserved"
    return Settlement(
        ledger=ledger.settle(key, actual),
        breakers=breakers,
        cost_micro=cost,
        findings=(above,) if actual > cost else (),
    )


def _health(key: str, model: ModelSpec, failure: CallFailure | None, breakers: Breakers, now_s: float) -> Breakers:
    if failure is None:
        return breakers.on_success(model)
    return breakers.on_failure(model, failure.kind, now_s, failure.retry_after_s, failure.message, key)
