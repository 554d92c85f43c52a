"""Whom a call asks next, for how much, and what failures change."""

import pytest

from orchestrator.domain.breaker import Breakers, CircuitState, opened
from orchestrator.domain.calls import (
    CallLimits,
    CallProgress,
    Choice,
    GiveUp,
    Send,
    WaitForBudget,
    WaitUntil,
    after_failure,
    choose,
    is_hopeless,
)
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import Ledger, UncertainCharge
from orchestrator.domain.routing import away_from, escalated, usable_models
from orchestrator.domain.settlement import Outcome, settle
from orchestrator.domain.tasks import Stage
from tests.unit.core_values import model

CHEAP, DEAR, OTHER = model("a:cheap", 100_000), model("b:dear", 1_000_000), model("c:other", 500_000)
LIMITS = CallLimits(prompt_bytes=1000, max_tokens=1000, min_tokens=200)


def failed(kind: FailureKind, retry_after_s: float | None = None) -> CallFailure:
    return CallFailure(kind=kind, fate=Fate.UNBILLED, message=kind.value, retry_after_s=retry_after_s)


def pick(
    progress: CallProgress | None = None,
    cap: int = 10_000_000,
    breakers: Breakers | None = None,
    ledger: Ledger | None = None,
    now_s: float = 100.0,
) -> Choice:
    return choose(
        progress or CallProgress(),
        (DEAR, CHEAP),
        LIMITS,
        ledger or Ledger(max_micro=cap),
        breakers or Breakers(),
        now_s,
    )


def test_the_first_of_the_ranking_is_asked_at_its_upper_bound() -> None:
    choice = pick()
    assert choice == Send(model=DEAR, max_tokens=1000, amount_micro=2000)


def test_what_an_earlier_run_sent_is_asked_for_as_it_was_whatever_the_budget_says() -> None:
    charge = UncertainCharge(amount_micro=777, model=CHEAP.id)
    ledger = Ledger(max_micro=800, spent_micro=20, carried={"key": charge})
    choice = choose(CallProgress(), (DEAR, CHEAP), LIMITS, ledger, Breakers(), 100.0, charge)
    assert isinstance(choice, Send)
    assert (choice.model, choice.amount_micro) == (CHEAP, 777)
    with pytest.raises(ValueError, match="cannot reserve 10 "):
        ledger.reserve("another", 10)
    reserved = ledger.reserve("key", 777)
    assert (reserved.committed_micro, reserved.reserved_micro) == (20, 777)
    assert reserved.settle("key", 777).spent_micro == 797


@pytest.mark.parametrize("sent", [True, False])
def test_what_an_earlier_run_sent_stays_booked_where_its_outcome_could_not_be_asked_for(sent: bool) -> None:
    charge = UncertainCharge(amount_micro=777, model=DEAR.id)
    ledger = Ledger(max_micro=800, carried={"key": charge}).reserve("key", 777)
    outcome = Outcome(failure=failed(FailureKind.AUTH), sent=sent, carried=True)
    send = Send(model=DEAR, max_tokens=1000, amount_micro=777)
    assert settle("key", "t1 plan", send, outcome, ledger, Breakers(), 100.0).ledger.uncertain_micro == 777


@pytest.mark.parametrize("kind", [FailureKind.REFUSED, FailureKind.NOT_FOUND])
def test_a_late_end_of_another_request_does_not_let_a_second_probe_leave(kind: FailureKind) -> None:
    broken = Breakers().on_failure(DEAR, FailureKind.AUTH, 0.0, None, "no")
    probing = broken.on_send(DEAR, "the probe")
    late = probing.on_failure(DEAR, kind, 31.0, None, "late", "an older one")
    assert not late.allows(DEAR, 10_000.0)
    assert late.on_inconclusive(DEAR, "the probe").circuit(DEAR.vendor).state is CircuitState.OPEN
    assert probing.on_success(DEAR).allows(DEAR, 31.0)


def test_what_can_never_fit_goes_to_the_next_cheaper_then_shrinks_then_ends() -> None:
    cheaper = pick(cap=1999)
    assert isinstance(cheaper, Send) and cheaper.model == CHEAP
    smaller = pick(cap=130)
    assert isinstance(smaller, Send) and smaller.model == CHEAP and smaller.max_tokens == 300
    assert smaller.amount_micro <= 130
    assert pick(cap=119) == GiveUp(reason="the budget does not allow another request", exhausted=True)


def test_what_fits_later_waits_for_other_reservations() -> None:
    ledger = Ledger(max_micro=2500).reserve("other", 1000)
    assert pick(ledger=ledger) == WaitForBudget(amount_micro=2000)


def test_a_model_without_a_price_is_refused() -> None:
    nameless = model("x:unpriced", prices=())
    choice = choose(CallProgress(), (nameless,), LIMITS, Ledger(max_micro=10**9), Breakers(), 0.0)
    assert isinstance(choice, GiveUp) and "price" in choice.reason


def test_three_strikes_open_the_vendor_and_are_skipped_at_once() -> None:
    breakers = Breakers()
    for _ in range(3):
        breakers = breakers.on_failure(DEAR, FailureKind.SERVER, 100.0, None, "503")
    choice = pick(breakers=breakers)
    assert isinstance(choice, Send) and choice.model == CHEAP
    assert opened(Breakers(), breakers) == ("b",)


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.BILLING, FailureKind.NOT_FOUND])
def test_a_permanent_failure_opens_at_once(kind: FailureKind) -> None:
    breakers = Breakers().on_failure(DEAR, kind, 100.0, None, "no")
    assert not breakers.allows(DEAR, 101.0)
    same_vendor = model("b:sibling")
    assert breakers.allows(same_vendor, 101.0) is (kind is FailureKind.NOT_FOUND)


def test_a_success_forgets_strikes_and_a_refusal_is_none() -> None:
    breakers = Breakers().on_failure(DEAR, FailureKind.SERVER, 0.0, None, "503")
    assert breakers.on_success(DEAR).circuit("b").strikes == 0
    assert Breakers().on_failure(DEAR, FailureKind.REFUSED, 0.0, None, "no") == Breakers()


def test_after_the_cooldown_one_probe_decides() -> None:
    breakers = Breakers().on_failure(DEAR, FailureKind.AUTH, 0.0, None, "401")
    assert breakers.allows(DEAR, 31.0)
    probing = breakers.on_send(DEAR)
    assert not probing.allows(DEAR, 31.0)
    again = probing.on_failure(DEAR, FailureKind.SERVER, 31.0, None, "503")
    assert not again.allows(DEAR, 61.0)
    assert again.allows(DEAR, 92.0)
    assert probing.on_success(DEAR).allows(DEAR, 31.0)


def test_retry_after_waits_shortly_or_prefers_another_vendor() -> None:
    short = Breakers().on_failure(DEAR, FailureKind.RATE_LIMIT, 100.0, 2.0, "429")
    assert pick(breakers=short) == WaitUntil(time_s=102.0)
    long = Breakers().on_failure(DEAR, FailureKind.RATE_LIMIT, 100.0, 60.0, "429")
    choice = pick(breakers=long)
    assert isinstance(choice, Send) and choice.model == CHEAP


def test_all_out_names_each_vendor_and_why() -> None:
    breakers = Breakers()
    for each in (DEAR, CHEAP):
        breakers = breakers.on_failure(each, FailureKind.AUTH, 100.0, None, "status 401")
    choice = pick(breakers=breakers)
    assert isinstance(choice, GiveUp) and not choice.exhausted
    assert choice.reason == "no vendor is available: b: status 401; a: status 401"


def test_failures_teach_the_call() -> None:
    sent = Send(model=DEAR, max_tokens=1000, amount_micro=1)
    assert after_failure(CallProgress(), sent, failed(FailureKind.SERVER)).ask == 2
    refused = after_failure(CallProgress(), sent, failed(FailureKind.REFUSED))
    choice = pick(refused)
    assert isinstance(choice, Send) and choice.model == CHEAP
    cut = after_failure(CallProgress(), sent, failed(FailureKind.TRUNCATED))
    raised = pick(cut)
    assert isinstance(raised, Send) and raised.max_tokens == 2000
    at_limit = Send(model=DEAR, max_tokens=8192, amount_micro=1)
    assert after_failure(CallProgress(), at_limit, failed(FailureKind.TRUNCATED)).unsuitable == (DEAR.id,)
    small = after_failure(CallProgress(), sent, failed(FailureKind.CONTEXT_TOO_LONG))
    assert isinstance(pick(small), GiveUp)


def test_invalid_answers_same_model_then_another_then_the_end() -> None:
    sent = Send(model=DEAR, max_tokens=1000, amount_micro=1)
    once = after_failure(CallProgress(), sent, failed(FailureKind.INVALID))
    assert once.unsuitable == () and once.error and not is_hopeless(once, Stage.PLAN)
    twice = after_failure(once, sent, failed(FailureKind.INVALID))
    assert twice.unsuitable == (DEAR.id,) and not is_hopeless(twice, Stage.PLAN)
    assert is_hopeless(twice, Stage.EVALUATE)
    assert is_hopeless(after_failure(twice, sent, failed(FailureKind.INVALID)), Stage.PLAN)


def test_every_call_ends() -> None:
    assert isinstance(pick(CallProgress(ask=25)), GiveUp)


def test_critics_and_judges_are_of_other_vendors_where_there_are_any() -> None:
    sibling = model("b:sibling")
    ranking = (DEAR, sibling, CHEAP, OTHER)
    assert away_from(ranking, (DEAR,))[0] == CHEAP
    assert away_from(ranking, (DEAR, CHEAP))[0] == OTHER
    assert away_from((DEAR, sibling), (DEAR,))[0] == sibling
    assert away_from((DEAR,), (DEAR,)) == (DEAR,)


def test_escalation_moves_to_the_next_author() -> None:
    ranking = (DEAR, CHEAP, OTHER)
    assert escalated(ranking, CHEAP, 0)[0] == CHEAP
    assert escalated(ranking, CHEAP, 1)[0] == OTHER
    assert escalated(ranking, None, 1) == ranking


def test_simulated_models_work_only_alone() -> None:
    sim = model("sim-a:x", simulated=True)
    assert usable_models((DEAR, sim), ("b", "sim-a")) == (DEAR,)
    assert usable_models((DEAR, sim), ("sim-a",)) == (sim,)
