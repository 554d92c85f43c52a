"""Batches: window, shared budget, failures, pause and resume, cancel, continue-as-new, projects that are terminated."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from orchestrator.artifacts.publish import batch_name
from orchestrator.contracts import names
from orchestrator.contracts.batch import BatchView
from orchestrator.contracts.messages import SetBudget
from orchestrator.contracts.project import Event, ProjectSpec, ProjectStatus
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import ModelRequest
from orchestrator.testing.scripted import Reply
from tests.workflow.batch_house import BatchRun, by_key, start_batch
from tests.workflow.conftest import Opened
from tests.workflow.harness import Run, spec
from tests.workflow.play import DOWN, Play, text_task


def projects(*keys: str, **changes: object) -> dict[str, ProjectSpec]:
    """Projects whose texts say their keys."""
    return {key: spec(project=f"Write {key}.", **changes) for key in keys}


async def one_closed(run: BatchRun, key: str) -> bool:
    """Whether the run of a project has ended."""
    return (await run.project(key).describe()).status is not WorkflowExecutionStatus.RUNNING


async def test_a_batch_runs_its_projects_and_tells_what_came_of_them(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.PLAN)
    async with opened(play) as house:
        run = await start_batch(house, projects("a", "b", "c"), concurrency=2)
        await gate.arrived.wait()
        await play.until(lambda: play.count(Stage.PLAN) == 2)
        early = await run.view()
        gate.open()
        view = await run.result()
        kept = await house.store.read_named(batch_name("default", run.id, "view.json"))
        assert view.events is not None
        log = [Event.model_validate_json(line) for line in (await house.store.get(view.events)).splitlines()]
        memo = await (await run.project("a").describe()).memo_value(names.MEMO_BATCH)
    assert [one.status for one in early.projects] == ["RUNNING", "RUNNING", "PENDING"]
    assert early.reserved_micro == 2 * 5_000_000
    assert view.status is ProjectStatus.SUCCESS
    assert [one.status for one in view.projects] == ["SUCCESS"] * 3
    assert [one.project_id for one in view.projects] == [f"{run.id}-{key}" for key in "abc"]
    assert all(one.spent_micro > 0 and one.quality_score and one.tasks_done == 1 for one in view.projects)
    assert all(one.manifest is not None for one in view.projects)
    assert (view.name, view.quality_score, memo) == ("nightly", 0.95, run.id)
    assert kept is not None and BatchView.model_validate_json(kept) == view
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert [event.task for event in log if event.kind == "project_started"] == ["a", "b", "c"]
    assert play.count(Stage.PLAN) == 3


async def test_a_batch_goes_on_when_a_project_fails(opened: Opened) -> None:
    play = Play(text_task("t1"))

    def answer(request: ModelRequest) -> Reply:
        return DOWN if "Write b." in request.prompt else play._usual(request)

    play.on(Stage.PLAN, reply=answer)
    async with opened(play) as house:
        view = await (await start_batch(house, projects("a", "b", "c"), concurrency=1)).result()
    assert [one.status for one in view.projects] == ["SUCCESS", "SYSTEM_FAILURE", "SUCCESS"]
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert view.reason == "of 3 projects 2 SUCCESS, 1 SYSTEM_FAILURE"
    assert "no plan" in by_key(view)["b"].reason


async def test_a_project_that_cannot_be_read_fails_alone(opened: Opened) -> None:
    async with opened(Play(text_task("t1"))) as house:
        run = await start_batch(house, projects("a", "b"), lost="a")
        view = await run.result()
    assert [one.status for one in view.projects] == ["SYSTEM_FAILURE", "SUCCESS"]
    assert "could not be read" in by_key(view)["a"].reason


async def test_money_is_set_aside_before_a_start_and_given_back_at_the_end(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.PLAN, times=1)
    dear = projects("a", "b", max_micro=2_000_000) | projects("c", max_micro=2_999_999)
    async with opened(play) as house:
        run = await start_batch(house, dear, max_micro=3_000_000)
        await gate.arrived.wait()
        early = await run.view()
        gate.open()
        view = await run.result()
    assert [one.status for one in early.projects] == ["RUNNING", "PENDING", "PENDING"], "both do not fit at once"
    assert [one.status for one in view.projects] == ["SUCCESS", "SUCCESS", "BUDGET_EXHAUSTED"]
    assert by_key(view)["c"].spent_micro == 0
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED


async def test_a_larger_budget_brings_back_what_was_refused(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.PLAN, times=1)
    dear = projects("a", max_micro=2_000_000) | projects("b", max_micro=9_000_000)
    async with opened(play) as house:
        run = await start_batch(house, dear, max_micro=3_000_000)
        await gate.arrived.wait()
        early = await run.view()
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await run.steer(SetBudget(max_micro=1_999_999))
        done = await run.steer(SetBudget(by="ann", max_micro=11_000_000))
        later = await run.until(lambda view: by_key(view)["b"].status == "RUNNING")
        gate.open()
        view = await run.result()
    assert by_key(early)["b"].status == "BUDGET_EXHAUSTED", "it will never fit"
    assert "are spent or set aside already" in str(refusal.value.cause)
    assert (done, later.max_micro) == ("the budget is $11.000000", 11_000_000)
    assert view.status is ProjectStatus.SUCCESS


async def test_a_project_cannot_take_more_than_was_set_aside(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await start_batch(house, projects("a"))
        await gate.arrived.wait()
        project = Run(run.project("a"), f"{run.id}-a", house.client, house.store)
        refusal = await project.refusal(SetBudget(max_micro=5_000_001))
        lowered = await project.refusal(SetBudget(max_micro=4_000_000))
        again = await project.refusal(SetBudget(max_micro=5_000_000))
        gate.open()
        view = await run.result()
    assert f"batch {run.id}" in refusal
    assert (lowered, again) == ("", "")
    assert view.status is ProjectStatus.SUCCESS


async def test_a_batch_is_paused_and_resumed_as_a_whole(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await start_batch(house, projects("a", "b", "c"), concurrency=2)
        await play.until(lambda: play.count(Stage.GENERATE, "t1") == 2)
        await run.signal(names.SIGNAL_PAUSE, "lunch")
        await run.until(lambda view: view.status is ProjectStatus.PAUSED and view.reason == "lunch")
        runs = [Run(run.project(key), f"{run.id}-{key}", house.client, house.store) for key in "ab"]
        for project in runs:
            await project.until(lambda view: view.status is ProjectStatus.PAUSED and "lunch" in view.reason)
        gate.open()
        for project in runs:
            await project.until(lambda view: view.reserved_micro == 0)
        assert (play.count(Stage.GENERATE), play.count(Stage.PLAN)) == (2, 2)
        await run.signal(names.SIGNAL_RESUME)
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS
    assert play.count(Stage.GENERATE) == 6


async def test_a_cancelled_batch_cancels_its_projects(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await start_batch(house, projects("a", "b", "c"), concurrency=2)
        await play.until(lambda: play.count(Stage.GENERATE) == 2)
        await run.handle.cancel()
        view = await run.result()
        assert all([await one_closed(run, key) for key in "ab"])
    assert view.status is ProjectStatus.CANCELLED
    assert [one.status for one in view.projects] == ["CANCELLED"] * 3
    assert by_key(view)["a"].uncertain_micro > 0
    assert by_key(view)["c"].uncertain_micro == 0


async def test_projects_live_through_continue_as_new(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.GENERATE, times=1)
    keys = [f"p{number}" for number in range(7)]
    async with opened(play) as house:
        run = await start_batch(house, projects(*keys), concurrency=2, continue_after_events=30)
        await run.until(lambda view: view.projects_done == 6)
        gate.open()
        view = await run.result()
        histories = await run.histories()
        assert view.events is not None
        log = [Event.model_validate_json(line) for line in (await house.store.get(view.events)).splitlines()]
    assert view.status is ProjectStatus.SUCCESS
    assert len(histories) > 2
    assert all(len(history.events) < 90 for history in histories)
    assert play.count(Stage.PLAN) == 7, "each ran once"
    assert [event.seq for event in log] == list(range(1, len(log) + 1))


async def test_a_project_that_was_terminated_is_noticed(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.hold(Stage.GENERATE, times=1)
    async with opened(play) as house:
        run = await start_batch(house, projects("a"))
        await play.until(lambda: play.count(Stage.GENERATE) == 1)
        await run.project("a").terminate("somebody did")
        view = await run.result()
    lost = by_key(view)["a"]
    assert (lost.status, lost.reason) == ("SYSTEM_FAILURE", "its run was terminated")
    assert lost.spent_micro + lost.uncertain_micro > 0, "the plan was paid for, and the call may be"


async def test_so_is_one_that_was_terminated_after_its_batch_was_continued(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.hold(Stage.GENERATE, times=1)
    async with opened(play) as house:
        run = await start_batch(
            house, projects("a", "b", "c", "d"), concurrency=2, continue_after_events=30, look_every_s=0.5
        )
        await run.until(lambda view: view.projects_done == 3)
        assert len(await run.histories()) > 1
        left = next(one.key for one in (await run.view()).projects if one.status == "RUNNING")
        await run.project(left).terminate("somebody did")
        view = await run.result()
    assert by_key(view)[left].status == "SYSTEM_FAILURE"


async def test_projects_end_well_where_their_batch_is_gone(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await start_batch(house, projects("a"))
        await gate.arrived.wait()
        await run.handle.terminate("somebody did")
        gate.open()
        view = await asyncio.wait_for(run.project("a").result(), 20)
    assert view.status is ProjectStatus.SUCCESS
