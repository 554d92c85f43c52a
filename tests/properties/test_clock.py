"""Time that counts, and warnings of the budget: no pause is charged, and nothing is said twice or taken back."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.clock import Clock, Hold
from orchestrator.domain.phases import BudgetPhase, crossed, phase_spends
from tests.properties.profile import examples
from tests.properties.values import survives

MOVES = st.lists(
    st.tuples(st.sampled_from(("hold", "release", "wait")), st.sampled_from(Hold), st.integers(0, 100)), max_size=40
)


@examples(200)
@given(MOVES)
def test_only_time_without_a_hold_counts(moves: list[tuple[str, Hold, int]]) -> None:
    clock, now_s, counted_s = Clock(started_s=1_000.0), 1_000.0, 0.0
    held: set[Hold] = set()
    for move, hold, seconds in moves:
        before_s = clock.active_s(now_s)
        if move == "wait":
            now_s += seconds
            counted_s += 0 if held else seconds
        elif move == "hold":
            clock = clock.hold(hold, "why", now_s)
            held.add(hold)
        else:
            clock = clock.release(hold, now_s)
            held.discard(hold)
        clock = survives(clock)
        assert clock.active_s(now_s) == counted_s >= before_s
        assert clock.held is bool(held) and bool(clock.reason) is bool(held)


@examples(200)
@given(
    st.dictionaries(st.sampled_from(BudgetPhase), st.integers(0, 2_000)), st.integers(0, 1_000), st.integers(1, 1_000)
)
def test_more_spending_crosses_no_fewer_lines(spent: dict[BudgetPhase, int], more: int, cap: int) -> None:
    first = [warning.name for warning in crossed(phase_spends(spent, cap), cap)]
    later = [
        warning.name for warning in crossed(phase_spends({p: micro + more for p, micro in spent.items()}, cap), cap)
    ]
    assert set(first) <= set(later) and len(set(later)) == len(later)
    assert sum(spend.cap_micro for spend in phase_spends(spent, cap)) <= cap
    if not any(spent.values()):
        assert not first
