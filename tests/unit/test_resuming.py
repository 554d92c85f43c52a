"""What can be resumed, and what the next run starts from."""

from typing import Any

import pytest

from orchestrator.client.resuming import RESUMABLE, ResumeChanges, check_resumable, resumed_input
from orchestrator.contracts.project import OnExhausted, ProjectSpec, ProjectStatus
from orchestrator.contracts.state import ProjectState
from orchestrator.contracts.tools import PrepareResult
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import CallProgress
from orchestrator.domain.clock import Clock, Hold
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.integration import Integration
from orchestrator.domain.ledger import Ledger, UncertainCharge
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.steps import TaskState, TaskStatus
from orchestrator.domain.tasks import TaskSpec, TaskType

REF = BlobRef(sha256="0" * 64, size=1)
NONE = ResumeChanges()


def spec(**changes: Any) -> ProjectSpec:
    given = ProjectSpec(
        project_id="p1",
        project="text",
        criteria="",
        max_micro=1_000,
        time_limit_s=60.0,
        models=(),
        routing={},
        simulated_routing={},
    )
    return given.model_copy(update=changes)


def state(phase: ProjectStatus, **statuses: TaskState) -> ProjectState:
    """What a run left: its tasks one after the other."""
    ids = list(statuses)
    plan = tuple(
        TaskSpec(id=name, title=name, type=TaskType.SUMMARIZATION, dependencies=tuple(ids[:index][-1:]), prompt=REF)
        for index, name in enumerate(ids)
    )
    return ProjectState(
        phase=phase,
        clock=Clock(started_s=5.0).hold(Hold.OPERATOR, "lunch", 6.0),
        time_limit_s=60.0,
        concurrency=8,
        ledger=Ledger(max_micro=1_000, spent_micro=400),
        prepared=PrepareResult(project=REF, criteria=REF, vendors=("alpha",), sandbox=""),
        plan=plan,
        tasks=statuses,
    )


def task(status: TaskStatus, **more: Any) -> TaskState:
    return TaskState(status=status, **more)


@pytest.mark.parametrize("status", RESUMABLE)
def test_what_stopped_can_be_resumed(status: ProjectStatus) -> None:
    check_resumable("p1", status, NONE)


def test_what_is_complete_has_nothing_to_resume() -> None:
    with pytest.raises(UserInputError, match="p1 is complete"):
        check_resumable("p1", ProjectStatus.SUCCESS, ResumeChanges(retry_failed=True))
    with pytest.raises(UserInputError, match="--retry-failed"):
        check_resumable("p1", ProjectStatus.COMPLETED_DEGRADED, NONE)
    check_resumable("p1", ProjectStatus.COMPLETED_DEGRADED, ResumeChanges(retry_failed=True))


@pytest.mark.parametrize("status", [ProjectStatus.PLANNING, ProjectStatus.RUNNING, ProjectStatus.PAUSED])
def test_what_runs_is_not_started_again(status: ProjectStatus) -> None:
    with pytest.raises(UserInputError, match="runs already"):
        check_resumable("p1", status, NONE)


def test_a_budget_below_what_is_spent_is_refused() -> None:
    ended = state(ProjectStatus.BUDGET_EXHAUSTED)
    with pytest.raises(UserInputError, match=r"--budget: \$0\.000399 is below the \$0\.000400"):
        resumed_input(spec(), ended, ResumeChanges(max_micro=399), {})
    again = resumed_input(spec(), ended, ResumeChanges(max_micro=400), {})
    assert again.state and again.state.ledger == Ledger(max_micro=400, spent_micro=400)
    assert again.spec.max_micro == 400


def test_what_a_broken_off_run_had_reserved_counts_as_spent() -> None:
    ended = state(ProjectStatus.RUNNING)
    ended.ledger = ended.ledger.reserve("a call", 100)
    with pytest.raises(UserInputError):
        resumed_input(spec(), ended, ResumeChanges(max_micro=499), {})
    again = resumed_input(spec(), ended, NONE, {})
    assert again.state and (again.state.ledger.reserved_micro, again.state.ledger.uncertain_micro) == (0, 100)


def test_what_a_broken_off_run_had_sent_after_its_last_snapshot_counts_as_well() -> None:
    ended = state(ProjectStatus.RUNNING)
    unbooked = {"another": UncertainCharge(amount_micro=500, model="a:b")}
    again = resumed_input(spec(), ended, NONE, unbooked)
    assert again.state and again.state.ledger.committed_micro == 900
    assert not again.state.ledger.can_ever_fit(101)
    with pytest.raises(UserInputError, match=r"\$0\.000900 spent already"):
        resumed_input(spec(), ended, ResumeChanges(max_micro=899), unbooked)


def test_each_task_gets_the_chance_that_it_needs() -> None:
    ended = state(
        ProjectStatus.TIMEOUT,
        done=task(TaskStatus.COMPLETED),
        weak=task(TaskStatus.DEGRADED, reason="score 0.5"),
        broken_off=task(TaskStatus.DEGRADED, reason="the time limit"),
        failed=task(TaskStatus.FAILED, reason="refused"),
        lost=task(TaskStatus.SKIPPED, reason="dependency failed"),
        unwanted=task(TaskStatus.SKIPPED, by_user=True),
        waiting=task(TaskStatus.PENDING, reason="the time limit"),
    )
    stood = task(TaskStatus.RUNNING, iteration=2)
    ended.suspended = {"broken_off": stood}
    fresh = TaskState(generation=1)
    again = resumed_input(spec(), ended, NONE, {}).state
    assert again is not None
    kept = {name: ended.tasks[name] for name in ("done", "weak", "unwanted")}
    assert again.tasks == kept | {"broken_off": stood, "failed": fresh, "lost": fresh, "waiting": TaskState()}
    more = resumed_input(spec(), ended, ResumeChanges(retry_failed=True), {}).state
    assert more is not None and more.tasks == again.tasks | {"weak": fresh}


def test_calls_of_unfinished_tasks_go_on_and_others_are_forgotten() -> None:
    ended = state(ProjectStatus.CANCELLED, done=task(TaskStatus.COMPLETED), stopped=task(TaskStatus.FAILED))
    ended.suspended = {"stopped": task(TaskStatus.RUNNING)}
    second = CallProgress(ask=2)
    ended.calls = {"stopped/0/generate/1/": second, "done/0/repair/1/": second, "project/0/plan/1/": second}
    again = resumed_input(spec(), ended, NONE, {}).state
    assert again is not None and again.calls == {"stopped/0/generate/1/": second}


def test_what_ended_the_last_run_is_forgotten() -> None:
    ended = state(ProjectStatus.TIMEOUT).model_copy(
        update={"stopped": ProjectStatus.TIMEOUT, "stop_reason": "time", "exhausted": True, "failure": "no plan"}
    )
    again = resumed_input(spec(plan_only=True), ended, NONE, {})
    assert again.resumed and not again.spec.plan_only
    assert again.state is not None
    assert (again.state.stopped, again.state.stop_reason, again.state.exhausted, again.state.failure) == (
        None,
        "",
        False,
        "",
    )
    assert (again.state.prepared, again.state.breakers, again.state.clock.held) == (None, Breakers(), False)
    assert again.state.generation == 1


def test_changes_reach_the_run() -> None:
    changes = ResumeChanges(time_limit_s=90.0, concurrency=2, approve_plan=True, on_exhausted=OnExhausted.PAUSE)
    again = resumed_input(spec(), state(ProjectStatus.TIMEOUT), changes, {})
    assert again.state is not None
    assert (again.state.time_limit_s, again.state.concurrency) == (90.0, 2)
    assert (again.spec.approve_plan, again.spec.on_exhausted) == (True, OnExhausted.PAUSE)
    kept = resumed_input(spec(), state(ProjectStatus.TIMEOUT), NONE, {})
    assert kept.state is not None and (kept.state.time_limit_s, kept.state.concurrency) == (60.0, 8)
    assert kept.spec == spec()


def test_a_run_broken_off_in_its_integration_goes_on_there_unless_something_failed() -> None:
    under_way = Integration(round=1)
    whole = state(ProjectStatus.INTEGRATING, t1=task(TaskStatus.COMPLETED))
    whole.integration = under_way
    again = resumed_input(spec(), whole, NONE, {}).state
    assert again is not None
    assert (again.phase, again.integration, again.generation) == (ProjectStatus.INTEGRATING, under_way, 0)
    lacking = state(ProjectStatus.INTEGRATING, t1=task(TaskStatus.COMPLETED), t2=task(TaskStatus.FAILED))
    lacking.integration = under_way
    again = resumed_input(spec(), lacking, NONE, {}).state
    assert again is not None
    assert (again.phase, again.integration, again.generation) == (ProjectStatus.PLANNING, Integration(), 1)
    assert again.tasks["t2"] == TaskState(generation=1)
