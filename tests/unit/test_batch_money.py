"""What a batch gets of a month, and what a project that broke off counts for."""

from orchestrator.domain.batch import BatchProject, ProjectEnd, broken_off, grant, starts_nothing
from orchestrator.domain.outcome import ProjectStatus

PROJECTS = (BatchProject(key="a", title="A", max_micro=300), BatchProject(key="b", title="B", max_micro=200))


def test_a_month_grants_what_is_wanted_or_left() -> None:
    assert grant(None, 10**9, 500) == 500
    assert grant(1000, 400, 500) == 500
    assert grant(1000, 700, 500) == 300
    assert grant(1000, 1200, 500) == 0


def test_money_for_one_project_is_enough_to_start() -> None:
    assert not starts_nothing(PROJECTS, 200)
    assert starts_nothing(PROJECTS, 199)
    assert not starts_nothing((), 0)


def test_a_project_that_broke_off_counts_with_all_it_may_have_cost() -> None:
    unseen = broken_off("a", ProjectStatus.SYSTEM_FAILURE, "gone", None, 250)
    assert (unseen.spent_micro, unseen.uncertain_micro) == (0, 250)
    last = ProjectEnd(key="a", status=ProjectStatus.SUCCESS, spent_micro=100, uncertain_micro=20)
    ended = broken_off("a", ProjectStatus.TIMEOUT, "late", last, 250)
    assert (ended.status, ended.reason, ended.spent_micro, ended.uncertain_micro) == (
        ProjectStatus.TIMEOUT,
        "late",
        100,
        150,
    )
    assert broken_off("a", ProjectStatus.TIMEOUT, "late", last, 90).uncertain_micro == 20
