"""P3 and P7: the cap holds and every micro-dollar is accounted for, whatever happens in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.domain.ledger import Ledger
from orchestrator.domain.money import PriceTier, Usage, cost_micro, micro, upper_bound_micro, usd
from tests.properties.profile import examples
from tests.properties.values import survives

AMOUNTS = st.one_of(st.integers(0, 200), st.integers(0, 20_000))
PICKS = st.integers(0, 1_000)


class LedgerMachine(RuleBasedStateMachine):
    """A ledger beside a book of our own: what each key was granted, and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(max_micro=10_000)
        self.open: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self.paid: dict[str, int] = {}
        self.number = 0

    def held(self) -> int:
        return sum(self.open.values()) + sum(self.unknown.values()) + sum(self.paid.values())

    @rule(amount=AMOUNTS)
    def reserve(self, amount: int) -> None:
        key = f"k{self.number}"
        self.number += 1
        fits = self.held() + amount <= self.ledger.max_micro
        assert self.ledger.fits(amount) is fits
        if fits:
            self.ledger = self.ledger.reserve(key, amount)
            self.open[key] = amount
        else:
            with pytest.raises(ValueError, match=key):
                self.ledger.reserve(key, amount)

    @precondition(lambda self: self.open)
    @rule(pick=PICKS)
    def reserve_twice(self, pick: int) -> None:
        with pytest.raises(ValueError, match="k"):
            self.ledger.reserve(self.one_of(self.open, pick), 0)

    @precondition(lambda self: self.open)
    @rule(pick=PICKS, actual=AMOUNTS)
    def settle(self, pick: int, actual: int) -> None:
        key = self.one_of(self.open, pick)
        self.ledger = self.ledger.settle(key, actual)
        self.paid[key] = min(actual, self.open.pop(key))

    @precondition(lambda self: self.open)
    @rule(pick=PICKS)
    def lose(self, pick: int) -> None:
        key = self.one_of(self.open, pick)
        self.ledger = self.ledger.settle_uncertain(key, "v:m")
        self.unknown[key] = self.open.pop(key)

    @precondition(lambda self: self.open)
    @rule(pick=PICKS)
    def release(self, pick: int) -> None:
        key = self.one_of(self.open, pick)
        self.ledger = self.ledger.release(key)
        del self.open[key]

    @precondition(lambda self: self.unknown)
    @rule(pick=PICKS, actual=AMOUNTS)
    def reconcile(self, pick: int, actual: int) -> None:
        key = self.one_of(self.unknown, pick)
        self.ledger = self.ledger.reconcile(key, actual)
        self.paid[key] = min(actual, self.unknown.pop(key))

    @precondition(lambda self: self.unknown)
    @rule(pick=PICKS)
    def forget(self, pick: int) -> None:
        """A key of unknown fate is no free key: reserving it again would drop its charge."""
        with pytest.raises(ValueError, match="k"):
            self.ledger.reserve(self.one_of(self.unknown, pick), 0)

    @rule(above=AMOUNTS)
    def change_cap(self, above: int) -> None:
        """An operator may lower the cap down to what is committed or reserved."""
        self.ledger = self.ledger.model_copy(update={"max_micro": self.held() + above})

    @rule(amount=AMOUNTS)
    def look_ahead(self, amount: int) -> None:
        """What can ever fit is what fits once everything open has come back; so nobody waits in vain."""
        ledger = self.ledger
        for key in self.open:
            ledger = ledger.release(key)
        assert self.ledger.can_ever_fit(amount) is ledger.fits(amount)

    @invariant()
    def cap_holds(self) -> None:
        ledger = self.ledger
        assert ledger.spent_micro + ledger.uncertain_micro + ledger.reserved_micro <= ledger.max_micro

    @invariant()
    def books_agree(self) -> None:
        assert self.ledger.spent_micro == sum(self.paid.values())
        assert self.ledger.reserved == self.open
        assert {key: charge.amount_micro for key, charge in self.ledger.uncertain.items()} == self.unknown

    @invariant()
    def survives_the_store(self) -> None:
        self.ledger = survives(self.ledger)

    @staticmethod
    def one_of(keys: dict[str, int], pick: int) -> str:
        return list(keys)[pick % len(keys)]


TestLedger = LedgerMachine.TestCase
TestLedger.settings = examples(80)

PRICES = st.integers(0, 100_000_000)
TOKENS = st.integers(0, 10_000_000)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[PriceTier, ...]:
    starts = sorted({0, *draw(st.lists(st.integers(1, 1_000_000), max_size=3))})
    return tuple(
        PriceTier(
            from_input_tokens=start,
            input_micro=draw(PRICES),
            cached_input_micro=draw(PRICES),
            cache_write_micro=draw(st.none() | PRICES),
            output_micro=draw(PRICES),
        )
        for start in starts
    )


@examples(200)
@given(tiers(), TOKENS, TOKENS, st.tuples(TOKENS, TOKENS, TOKENS, TOKENS))
def test_no_call_within_its_limits_costs_more_than_its_upper_bound(
    prices: tuple[PriceTier, ...], input_limit: int, output_limit: int, counts: tuple[int, int, int, int]
) -> None:
    read, cached, written, answered = counts
    usage = Usage(
        input_tokens=min(read, input_limit),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=min(answered, output_limit),
    )
    assert 0 <= cost_micro(usage, prices) <= upper_bound_micro(input_limit, output_limit, prices)


@examples(200)
@given(st.integers(0, 10**12))
def test_money_survives_its_display(amount_micro: int) -> None:
    assert micro(usd(amount_micro)) == amount_micro
