"""What a settled request leaves behind: money, health, and what the result must say."""

import pytest

from orchestrator.domain.breaker import STRIKES_TO_OPEN, Breakers, CircuitState
from orchestrator.domain.calls import Send
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.money import Usage
from orchestrator.domain.settlement import Outcome, Settlement, settle
from tests.unit.core_values import model

MODEL = model("a:one", 1_000_000)  # a token is a micro-dollar
SEND = Send(model=MODEL, max_tokens=500, amount_micro=1000)
LEDGER = Ledger(max_micro=5000).reserve("k", 1000)


def failed(kind: FailureKind, fate: Fate) -> CallFailure:
    return CallFailure(kind=kind, fate=fate, message="HTTP 503")


def settled(outcome: Outcome, breakers: Breakers | None = None) -> Settlement:
    return settle("k", "t1 generate", SEND, outcome, LEDGER, breakers or Breakers(), 100.0)


@pytest.mark.parametrize(
    ("outcome", "spent", "uncertain", "finding"),
    [
        (Outcome(usage=Usage(input_tokens=300, output_tokens=100)), 400, 0, ""),
        (Outcome(usage=Usage(input_tokens=900, output_tokens=101)), 1000, 0, "a:one reported usage of $0.001001"),
        (Outcome(), 0, 1000, "t1 generate: booked $0.001000 as uncertain: the vendor reported no usage"),
        (Outcome(failure=failed(FailureKind.LOST, Fate.UNCERTAIN)), 0, 1000, "as uncertain: HTTP 503"),
        (Outcome(failure=failed(FailureKind.SERVER, Fate.UNBILLED)), 0, 0, ""),
        (Outcome(failure=failed(FailureKind.EMPTY, Fate.BILLED), usage=Usage(input_tokens=7)), 7, 0, ""),
        (Outcome(failure=failed(FailureKind.EMPTY, Fate.BILLED)), 0, 1000, "as uncertain: HTTP 503"),
    ],
    ids=["answer", "above the reservation", "no usage", "lost", "refused", "billed failure", "billed without usage"],
)
def test_money_goes_where_it_belongs(outcome: Outcome, spent: int, uncertain: int, finding: str) -> None:
    result = settled(outcome)
    assert (result.cost_micro, result.uncertain_micro) == (spent, uncertain)
    assert (result.ledger.spent_micro, result.ledger.uncertain_micro) == (spent, uncertain)
    assert not result.ledger.reserved
    assert finding in "".join(result.findings) and bool(finding) == bool(result.findings)


def test_what_was_never_sent_costs_nothing_and_says_nothing() -> None:
    probed = Breakers()
    for _ in range(STRIKES_TO_OPEN):
        probed = probed.on_failure(MODEL, FailureKind.SERVER, 0.0, None, "down")
    result = settled(Outcome(sent=False), probed.on_send(MODEL))
    assert result == Settlement(ledger=Ledger(max_micro=5000), breakers=probed)


def test_the_last_strike_and_the_way_back_are_told() -> None:
    down = Outcome(failure=failed(FailureKind.SERVER, Fate.UNBILLED))
    before = Breakers()
    for _ in range(STRIKES_TO_OPEN - 1):
        result = settled(down, before)
        assert not result.opened and not result.findings
        before = result.breakers
    result = settled(down, before)
    assert (result.opened, result.closed) == (("a",), ())
    assert result.findings == ("a was out of service (HTTP 503); other models took over",)
    back = settled(Outcome(usage=Usage(input_tokens=1)), result.breakers)
    assert (back.opened, back.closed) == ((), ("a",))
    assert back.breakers.circuit("a").state is CircuitState.CLOSED
