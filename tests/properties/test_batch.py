"""Batches over random projects and random ends: the budget holds, the window holds, everything ends."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.batch import (
    SEVERITY,
    BatchProject,
    BatchState,
    ProjectEnd,
    batch_ending,
    cannot_have,
    ended,
    given_up,
    next_up,
    started,
    unaffordable,
    with_budget,
)
from orchestrator.domain.outcome import ProjectStatus
from tests.properties.profile import examples

SEEDS = st.integers(0, 2**32)


def batch(rng: Random) -> BatchState:
    """Few projects and little money, so that they get into each other's way."""
    projects = tuple(
        BatchProject(key=f"p{number}", title="", max_micro=rng.randint(1, 10)) for number in range(rng.randint(1, 12))
    )
    return BatchState(max_micro=rng.randint(1, 40), concurrency=rng.randint(1, 4), projects=projects)


def end(rng: Random, state: BatchState, key: str) -> ProjectEnd:
    """Some end of a project, which never costs more than its cap."""
    cap = next(one.max_micro for one in state.projects if one.key == key)
    spent = rng.randint(0, cap)
    uncertain = rng.randint(0, cap - spent)
    return ProjectEnd(key=key, status=rng.choice(SEVERITY), spent_micro=spent, uncertain_micro=uncertain)


def holds(state: BatchState) -> None:
    """What is true of a batch at every moment."""
    assert state.spent_micro + state.uncertain_micro + state.reserved_micro <= state.max_micro
    assert len(state.running) <= state.concurrency
    assert not state.running.keys() & state.ends.keys()
    assert len(state.running) + len(state.ends) + len(state.waiting) == len(state.projects)


def played(rng: Random, state: BatchState) -> BatchState:
    """The batch at its end. Raises AssertionError where something does not hold, or it does not get on."""
    begun: list[str] = []
    while not state.over:
        for refused in unaffordable(state):
            cap = next(one.max_micro for one in state.projects if one.key == refused.key)
            assert state.spent_micro + state.uncertain_micro + cap > state.max_micro
            state = ended(state, refused)
        for project in next_up(state):
            state = started(state, project, 0.0)
            begun.append(project.key)
            holds(state)
        if state.over:
            break
        assert state.running, "nothing runs, nothing may start, and yet it is not over"
        if rng.random() < 0.2:
            wanted = rng.randint(0, 60)
            if not cannot_have(state, wanted):
                state = with_budget(state, wanted)
                holds(state)
                continue
        key = rng.choice(list(state.running))
        one = end(rng, state, key)
        state = ended(state, one)
        assert ended(state, one.model_copy(update={"spent_micro": 10**9})) == state, "a project ends once"
        holds(state)
    order = [one.key for one in state.projects]
    assert len(begun) == len(set(begun)) and set(begun) <= set(order), "each begins once"
    return state


@examples(300)
@given(SEEDS)
def test_budget_and_window_hold_and_everything_ends(seed: int) -> None:
    rng = Random(seed)
    state = played(rng, batch(rng))
    assert {one.key for one in state.projects} == state.ends.keys()
    assert (state.running, state.reserved_micro) == ({}, 0)


@examples(200)
@given(SEEDS)
def test_a_batch_ends_like_the_worst_of_its_projects(seed: int) -> None:
    rng = Random(seed)
    state = played(rng, batch(rng))
    ending = batch_ending(state, None, "")
    statuses = [one.status for one in state.ends.values()]
    assert ending.status in statuses
    assert all(SEVERITY.index(status) <= SEVERITY.index(ending.status) for status in statuses)
    assert bool(ending.reason) == (ending.status is not ProjectStatus.SUCCESS)


@examples(200)
@given(SEEDS)
def test_nothing_begins_after_a_stop(seed: int) -> None:
    rng = Random(seed)
    state = batch(rng)
    for project in next_up(state):
        state = started(state, project, 0.0)
    for one in given_up(state, ProjectStatus.CANCELLED, "cancelled on request"):
        state = ended(state, one)
    assert (state.waiting, next_up(state)) == ((), ())
    for key in list(state.running):
        state = ended(state, end(rng, state, key))
    assert state.over
    assert batch_ending(state, ProjectStatus.CANCELLED, "cancelled on request").status is ProjectStatus.CANCELLED
