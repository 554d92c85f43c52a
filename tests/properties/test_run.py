"""Whole runs of the pure core against a random adversary."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.outcome import ProjectStatus
from tests.properties.adversary import Adversary
from tests.properties.invariants import bound_of_calls, check_end, check_event, settle_uncertain
from tests.properties.profile import examples
from tests.properties.simulation import Run
from tests.properties.values import random_models, random_overrides, random_plan
from tests.unit.core_values import model

SHARES = st.sampled_from((0.0, 0.1, 0.3, 0.7, 0.95, 1.0))
CAPS = st.sampled_from((0, 20_000, 200_000, 1_000_000, 5_000_000, 10**9))
SEEDS = st.integers(0, 2**32)  # a whole run draws too much to be shrunk: one that fails is found again by its seed
# Each request takes two events at most (too large, then answered), a check one; messages and waits come on top.
EVENTS_PER_CALL = 200


def drive(run: Run, adversary: Adversary) -> None:
    """Until the run is over. Fails if it hangs, goes on for ever, or breaks an invariant on the way."""
    limit = bound_of_calls(run) * EVENTS_PER_CALL
    run.pump()
    while run.end is None:
        assert run.events < limit, "the run does not end"
        before = run.memory
        adversary.act(run)
        run.pump()
        check_event(run, before)
    check_end(run)
    settle_uncertain(run, adversary.rng.choice((0, 100, 10**9)))


@examples(300)
@given(
    seed=SEEDS,
    failures=SHARES,
    messages=st.sampled_from((0.0, 0.05, 0.3)),
    kind=SHARES,
    cap=CAPS,
    concurrency=st.integers(1, 8),
)
def test_any_run_ends_within_its_cap_and_says_the_truth(
    seed: int, failures: float, messages: float, kind: float, cap: int, concurrency: int
) -> None:
    rng = Random(seed)
    plan, models = random_plan(rng, 7), random_models(rng)
    run = Run(plan, models, cap, concurrency, random_overrides(rng, models))
    drive(run, Adversary(rng=rng, failures=failures, messages=messages, kind=kind))


@examples(60)
@given(SEEDS, st.integers(1, 8))
def test_in_a_kind_world_every_run_succeeds(seed: int, concurrency: int) -> None:
    rng = Random(seed)
    run = Run(random_plan(rng, 8), (model("a:one"), model("b:two")), 10**9, concurrency)
    drive(run, Adversary(rng=rng, failures=0.0, messages=0.0, kind=1.0))
    assert run.end is not None and run.end.status is ProjectStatus.SUCCESS


@examples(60)
@given(SEEDS, st.integers(1, 8))
def test_an_outage_of_all_vendors_is_no_success(seed: int, concurrency: int) -> None:
    rng = Random(seed)
    run = Run(random_plan(rng, 7), random_models(rng), 10**9, concurrency)
    drive(run, Adversary(rng=rng, failures=1.0, messages=0.1, kind=1.0))
    assert run.end is not None
    assert run.end.status not in (
        ProjectStatus.SUCCESS,
        ProjectStatus.COMPLETED_DEGRADED,
        ProjectStatus.PARTIAL_SUCCESS,
    )
