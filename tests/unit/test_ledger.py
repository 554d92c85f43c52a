"""P3: spent + uncertain + reserved never exceeds the cap, whatever happens in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ledger import Ledger
from orchestrator.domain.money import PriceTier, Usage, cost_micro, micro, upper_bound_micro, usd

MOVES = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "uncertain", "release", "reconcile"]), st.integers(0, 3000)),
    max_size=60,
)


@given(st.integers(0, 10_000), MOVES)
def test_cap_holds_for_any_order_of_moves(cap: int, moves: list[tuple[str, int]]) -> None:
    ledger, booked = Ledger(max_micro=cap), 0
    for number, (move, amount) in enumerate(moves):
        key = next(iter(ledger.reserved), None)
        open_key = next(iter(ledger.uncertain), None)
        if move == "reserve" and ledger.fits(amount):
            ledger = ledger.reserve(str(number), amount)
        elif move == "settle" and key:
            booked += min(amount, ledger.reserved[key])
            ledger = ledger.settle(key, amount)
        elif move == "uncertain" and key:
            ledger = ledger.settle_uncertain(key, "v:m")
        elif move == "release" and key:
            ledger = ledger.release(key)
        elif move == "reconcile" and open_key:
            booked += min(amount, ledger.uncertain[open_key].amount_micro)
            ledger = ledger.reconcile(open_key, amount)
        assert ledger.committed_micro + ledger.reserved_micro <= cap
        assert ledger.spent_micro == booked
        assert Ledger.model_validate_json(ledger.model_dump_json()) == ledger


def test_a_reservation_that_does_not_fit_is_refused() -> None:
    ledger = Ledger(max_micro=100).reserve("a", 60)
    with pytest.raises(ValueError, match="b"):
        ledger.reserve("b", 41)
    assert not ledger.fits(41)
    assert ledger.can_ever_fit(100)
    assert not ledger.settle("a", 60).can_ever_fit(41)


def test_cost_is_rounded_up_once_per_call() -> None:
    tiers = (PriceTier(input_micro=150_000, cached_input_micro=75_000, output_micro=600_000),)
    assert cost_micro(Usage(input_tokens=1, output_tokens=1), tiers) == 1
    assert cost_micro(Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=10), tiers) == 126
    cached = PriceTier(input_micro=100_000, cached_input_micro=10_000, cache_write_micro=125_000, output_micro=500_000)
    usage = Usage(input_tokens=1000, cached_input_tokens=400, cache_write_tokens=500, output_tokens=10)
    assert cost_micro(usage, (cached,)) == 82  # 100 * 0.1 + 400 * 0.01 + 500 * 0.125 + 10 * 0.5 = 81.5
    assert cost_micro(usage, tiers) == 126
    assert usd(1_234_567) == 1.234567
    assert micro("0.02") == 20_000


@given(st.integers(0, 500_000), st.integers(0, 500_000), st.integers(0, 500_000))
def test_the_upper_bound_is_one(input_tokens: int, cached: int, output_tokens: int) -> None:
    tiers = (
        PriceTier(input_micro=1_250_000, cached_input_micro=310_000, output_micro=10_000_000),
        PriceTier(
            from_input_tokens=200_000,
            input_micro=2_500_000,
            cached_input_micro=625_000,
            output_micro=15_000_000,
        ),
    )
    usage = Usage(input_tokens=input_tokens, cached_input_tokens=cached, output_tokens=output_tokens)
    assert cost_micro(usage, tiers) <= upper_bound_micro(input_tokens, output_tokens, tiers)
