"""Batches by example: what starts, what waits, what is refused, how it is told; and the ids of projects."""

import pytest

from orchestrator.client.spec import parse_project_id
from orchestrator.contracts.batch import KEY_CHARS, project_id_of
from orchestrator.domain.batch import (
    BatchProject,
    BatchState,
    ProjectEnd,
    batch_ending,
    ended,
    mean_quality,
    next_up,
    started,
    unaffordable,
)
from orchestrator.domain.outcome import ProjectStatus


def state(*caps: int, max_micro: int, concurrency: int = 4) -> BatchState:
    projects = tuple(BatchProject(key=f"p{n}", title="", max_micro=cap) for n, cap in enumerate(caps))
    return BatchState(max_micro=max_micro, concurrency=concurrency, projects=projects)


def keys(projects: tuple[BatchProject, ...]) -> list[str]:
    return [one.key for one in projects]


def test_as_many_start_as_window_and_budget_allow() -> None:
    assert keys(next_up(state(1, 1, 1, max_micro=10, concurrency=2))) == ["p0", "p1"]
    assert keys(next_up(state(5, 5, 5, max_micro=10))) == ["p0", "p1"]


def test_one_that_does_not_fit_yet_holds_up_those_behind_it() -> None:
    assert keys(next_up(state(6, 5, 1, max_micro=10))) == ["p0"]


def test_what_a_project_did_not_use_is_there_for_the_next_one() -> None:
    batch = started(state(6, 5, max_micro=10), state(6, 5, max_micro=10).projects[0], 1.0)
    assert next_up(batch) == ()
    batch = ended(batch, ProjectEnd(key="p0", status=ProjectStatus.SUCCESS, spent_micro=3, uncertain_micro=2))
    assert keys(next_up(batch)) == ["p1"]


def test_one_that_will_never_fit_is_refused_and_the_others_go_on() -> None:
    batch = state(6, 5, 4, max_micro=10)
    batch = started(batch, batch.projects[0], 1.0)
    assert unaffordable(batch) == (), "what runs may still turn out to cost nothing"
    batch = ended(batch, ProjectEnd(key="p0", status=ProjectStatus.SUCCESS, spent_micro=6))
    refused = unaffordable(batch)
    assert [(end.key, end.status) for end in refused] == [("p1", ProjectStatus.BUDGET_EXHAUSTED)]
    assert keys(next_up(ended(batch, refused[0]))) == ["p2"]


def test_what_may_not_start_is_refused() -> None:
    batch = state(6, 5, max_micro=10)
    with pytest.raises(ValueError, match="p1 may not start now"):
        started(started(batch, batch.projects[0], 1.0), batch.projects[1], 2.0)


def test_the_end_of_a_stranger_changes_nothing() -> None:
    batch = state(1, max_micro=10)
    assert ended(batch, ProjectEnd(key="other", status=ProjectStatus.SUCCESS, spent_micro=5)) == batch


def test_the_ending_counts_what_came_of_the_projects() -> None:
    batch = state(1, 1, 1, max_micro=10)
    statuses = (ProjectStatus.SUCCESS, ProjectStatus.TIMEOUT, ProjectStatus.SUCCESS)
    for project, status in zip(batch.projects, statuses, strict=True):
        batch = ended(batch, ProjectEnd(key=project.key, status=status, quality_score=0.5))
    ending = batch_ending(batch, None, "")
    assert (ending.status, ending.reason) == (ProjectStatus.TIMEOUT, "of 3 projects 2 SUCCESS, 1 TIMEOUT")
    assert mean_quality(batch) == 0.5


@pytest.mark.parametrize("batch_id", ["nightly-1a2b3c", "Nightly-2026-11-21T02:00:00Z", "x" * 200, f"{'x' * 200}Z"])
def test_ids_of_projects_are_ids(batch_id: str) -> None:
    found = project_id_of(batch_id, "k" * KEY_CHARS)
    assert parse_project_id(found) == found
    assert found.endswith("-" + "k" * KEY_CHARS)


def test_ids_of_long_batches_stay_apart() -> None:
    name = "a-schedule-with-a-name-that-is-much-longer-than-anybody-would-ever-make-it-by-hand"
    nights = [f"{name}-2026-11-{day}T02:00:00Z" for day in (20, 21)]
    first, second = (project_id_of(night, "a") for night in nights)
    assert first != second
