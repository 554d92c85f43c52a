"""Pause, resume, cancel and the time limit."""

import asyncio

from orchestrator.contracts import names
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import Play, text_task


async def test_a_pause_lets_calls_finish_and_starts_none(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.signal(names.SIGNAL_PAUSE)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        gate.open()
        view = await run.until(lambda view: view.calls == 2)
        assert (view.status, view.reserved_micro) == (ProjectStatus.PAUSED, 0)
        assert play.count() == 2
        await run.signal(names.SIGNAL_PAUSE, "again")
        await run.signal(names.SIGNAL_RESUME)
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
    assert view.status is ProjectStatus.SUCCESS
    assert (kinds.count("paused"), kinds.count("resumed")) == (1, 1)
    assert play.count(Stage.GENERATE) == 2


async def test_a_pause_does_not_count_against_the_time_limit(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await house.start(spec(time_limit_s=3.0))
        await gate.arrived.wait()
        await run.signal(names.SIGNAL_PAUSE)
        paused = await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        gate.open()
        await asyncio.sleep(3.2)
        assert (await run.view()).elapsed_s == paused.elapsed_s
        await run.signal(names.SIGNAL_RESUME)
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert view.elapsed_s < 3.0


async def test_the_time_limit_ends_the_run_with_what_it_has(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"), text_task("t3", "t2"))
    play.hold(Stage.EVALUATE, "t2")
    play.hold(Stage.CRITIQUE, "t1")
    async with opened(play) as house:
        run = await house.start(spec(time_limit_s=1.5))
        view = await run.result()
        paths = await house.published(view)
    assert view.status is ProjectStatus.TIMEOUT
    assert "time limit" in view.reason
    assert {task.id: task.status for task in view.tasks} == {"t1": "DEGRADED", "t2": "DEGRADED", "t3": "PENDING"}
    assert all("time limit" in task.reason for task in view.tasks)
    assert {"t1.txt", "t2.txt"} <= paths
    assert view.uncertain_micro > 0  # what was in flight may have been billed


async def test_cancelling_publishes_what_is_there(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"), text_task("t3", "t2"))
    gate = play.hold(Stage.CRITIQUE, "t2")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.until(lambda view: view.tasks_done == 1)
        await run.handle.cancel()
        view = await run.result()
        paths = await house.published(view)
    assert view.status is ProjectStatus.CANCELLED
    assert {"t1.txt", "t2.txt"} <= paths
    assert {task.id: task.status for task in view.tasks} == {"t1": "COMPLETED", "t2": "DEGRADED", "t3": "PENDING"}
    assert play.count(task="t3") == 0
    assert view.tasks[1].uncertain_micro == view.uncertain_micro > 0


async def test_cancelling_a_paused_run(opened: Opened) -> None:
    play = Play(text_task("t1"))
    gate = play.hold(Stage.PLAN)
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.signal(names.SIGNAL_PAUSE)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        await run.handle.cancel()
        view = await run.result()
    assert (view.status, view.tasks) == (ProjectStatus.CANCELLED, ())
    assert play.count() == 1


async def test_cancelling_a_run_in_its_first_moment(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        run = await house.start(spec())
        await run.handle.cancel()
        view = await run.result()
    assert view.status is ProjectStatus.CANCELLED
    assert view.manifest is not None


async def test_cancelling_one_task_that_runs(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.signal(names.SIGNAL_CANCEL_TASK, "t1")
        view = await run.result()
    assert {task.id: task.status for task in view.tasks} == {"t1": "SKIPPED", "t2": "SKIPPED", "t3": "COMPLETED"}
    assert view.tasks[0].reason == "skipped by the user"
    assert view.status is ProjectStatus.PARTIAL_SUCCESS
    assert play.count(task="t2") == 0


async def test_cancelling_one_task_that_waits(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3", "t2"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.signal(names.SIGNAL_CANCEL_TASK, "t2")
        await run.signal(names.SIGNAL_CANCEL_TASK, "t2")
        await run.signal(names.SIGNAL_CANCEL_TASK)
        await run.signal(names.SIGNAL_CANCEL_TASK, "nobody")
        gate.open()
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
    assert {task.id: task.status for task in view.tasks} == {"t1": "COMPLETED", "t2": "SKIPPED", "t3": "SKIPPED"}
    assert kinds.count("task_cancel_requested") == 1
