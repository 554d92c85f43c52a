"""A project that ended goes on where it stopped: what is done stays done, and what it cost stays spent."""

import asyncio

import pytest
from temporalio.client import WorkflowFailureError

from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.answers import Evaluation
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import Run, spec
from tests.workflow.play import DOWN, LOST, REFUSED, Play, json_task, text_task

MENDED = '```json path=j1.json\n{"mended": 1}\n```'


def statuses(view: ProjectView) -> list[str]:
    return [task.status for task in view.tasks]


async def terminate(run: Run) -> None:
    """End the run without giving it a chance to say anything."""
    await run.handle.terminate("by hand")
    with pytest.raises(WorkflowFailureError):
        await run.handle.result()


async def test_with_more_money(opened: Opened) -> None:
    play = Play(*(text_task(f"t{number}") for number in range(1, 9)))
    project = spec(max_micro=70_000, concurrency=2)
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        done = {task.id for task in first.tasks if task.status == "COMPLETED"}
        asked, last = len(play.asked), (await ended.events())[-1].seq
        again = await house.resume(ended, project, max_micro=5_000_000)
        view = await again.result()
        events = await again.events()
    assert first.status is ProjectStatus.BUDGET_EXHAUSTED
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert done and not done & {asked.task for asked in play.asked[asked:]}
    assert play.count(Stage.PLAN) == 1
    assert play.count() == view.calls == len({(a.stage, a.task, a.request.prompt, a.vendor) for a in play.asked})
    assert view.spent_micro > first.spent_micro
    assert view.max_micro == 5_000_000
    assert events[last].seq == last + 1


async def test_without_more_money_it_ends_as_before(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    project = spec(max_micro=22_000)
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        view = await (await house.resume(ended, project)).result()
    assert (view.status, view.spent_micro) == (ProjectStatus.BUDGET_EXHAUSTED, first.spent_micro)
    assert play.count() == view.calls


async def test_with_more_time(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"), text_task("t3", "t2"))
    gate = play.hold(Stage.EVALUATE, "t2")
    project = spec(time_limit_s=1.5)
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        gate.open()
        view = await (await house.resume(ended, project, time_limit_s=60)).result()
    assert first.status is ProjectStatus.TIMEOUT
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert [play.count(Stage.GENERATE, task) for task in ("t1", "t2", "t3")] == [1, 1, 1]
    assert play.count(Stage.EVALUATE, "t2") == 4  # two were in flight and may have been paid
    assert view.uncertain_micro == first.uncertain_micro > 0


async def test_after_a_cancel_in_the_middle_of_a_call(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"), text_task("t3", "t2"))
    gate = play.hold(Stage.CRITIQUE, "t2", times=1)
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        await gate.arrived.wait()
        await ended.until(lambda view: view.tasks_done == 1)
        await ended.handle.cancel()
        first = await ended.result()
        again = await house.resume(ended, project)
        view = await again.result()
        keys = [record.key for record in await again.records() if (record.task, record.stage) == ("t2", "critique")]
    assert first.status is ProjectStatus.CANCELLED
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert [key.rsplit("/", 1)[1] for key in keys] == ["1", "2"]  # a new request of the same call
    assert play.count(Stage.GENERATE, "t2") == 1
    assert play.count(task="t1") == 4
    assert view.uncertain_micro == first.uncertain_micro > 0


async def test_after_a_cancel_in_the_first_moment(opened: Opened) -> None:
    play = Play(text_task("t1"))
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        await ended.handle.cancel()
        assert (await ended.result()).status is ProjectStatus.CANCELLED
        view = await (await house.resume(ended, project)).result()
    assert view.status is ProjectStatus.SUCCESS
    assert play.count(Stage.GENERATE) == 1


async def test_failed_tasks_start_afresh_with_what_built_on_them(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3"))
    play.on(Stage.GENERATE, "t1", reply=REFUSED, times=3)
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        again = await house.resume(ended, project)
        view = await again.result()
        generations = [record.key.split("/")[3] for record in await again.records() if record.task == "t1"]
    assert (first.status, statuses(first)) == (ProjectStatus.PARTIAL_SUCCESS, ["FAILED", "SKIPPED", "COMPLETED"])
    assert (view.status, statuses(view)) == (ProjectStatus.SUCCESS, ["COMPLETED"] * 3)
    assert set(generations[3:]) == {"1"}
    assert play.count(Stage.GENERATE, "t3") == 1


async def test_after_an_outage(opened: Opened) -> None:
    """Vendors that were out are asked at once; a first plan is made where there is none."""
    for stage in (Stage.PLAN, Stage.GENERATE):
        play = Play(text_task("t1"), text_task("t2", "t1"))
        play.on(stage, reply=DOWN, times=3)
        project = spec()
        async with opened(play) as house:
            ended = await house.start(project)
            first = await ended.result()
            view = await (await house.resume(ended, project)).result()
        assert first.status is ProjectStatus.SYSTEM_FAILURE
        assert (view.status, statuses(view)) == (ProjectStatus.SUCCESS, ["COMPLETED"] * 2), view.reason
        assert play.count() == view.calls


async def test_tasks_below_their_target_are_redone_on_request(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    play.on(Stage.EVALUATE, "t1", reply=Evaluation(score=0.5), times=4)
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        again = await house.resume(ended, project, retry_failed=True)
        view = await again.result()
        redone = [r.key.split("/")[3] for r in await again.records() if (r.task, r.stage) == ("t1", "generate")]
    assert first.status is ProjectStatus.COMPLETED_DEGRADED
    assert (view.status, statuses(view)) == (ProjectStatus.SUCCESS, ["COMPLETED"] * 2), view.reason
    assert redone == ["0", "0", "1"]
    assert play.count(Stage.GENERATE, "t2") == 1


async def test_what_was_below_its_target_stays_where_it_is_redone_in_vain(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    play.on(Stage.EVALUATE, "t1", reply=Evaluation(score=0.5), times=4)
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        await ended.result()
        play.on(Stage.GENERATE, "t1", reply=REFUSED, times=3)
        view = await (await house.resume(ended, project, retry_failed=True)).result()
    assert (view.status, statuses(view)) == (ProjectStatus.COMPLETED_DEGRADED, ["DEGRADED", "COMPLETED"])
    assert view.tasks[0].reason.startswith("as before its retry, which gave nothing better: ")


async def test_a_plan_is_carried_out_later(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    project = spec(plan_only=True)
    async with opened(play) as house:
        ended = await house.start(project)
        planned = await ended.result()
        view = await (await house.resume(ended, project)).result()
    assert planned.status is ProjectStatus.CANCELLED
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert not any(task.reason for task in view.tasks)
    assert play.count(Stage.PLAN) == 1


async def test_a_run_that_was_terminated_pays_for_no_answer_twice(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    gate = play.hold(Stage.CRITIQUE, "t2")
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        await gate.arrived.wait()
        await terminate(ended)
        gate.open()
        await play.until(lambda: len(play.answered) == len(play.asked))
        view = await (await house.resume(ended, project)).result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.GENERATE) == 2
    assert play.count(Stage.PLAN) == 1
    assert play.count() <= view.calls + 1  # what was in flight may be asked again


async def test_a_run_that_was_terminated_in_its_integration(opened: Opened) -> None:
    """A task that failed, with a charge of unknown fate, starts afresh under new keys."""
    play = Play(json_task("j1"), text_task("t2"), text_task("t3"))
    play.contents["j1.json"] = "{broken\n"
    play.on(Stage.REPAIR, reply=MENDED)
    play.on(Stage.GENERATE, "t3", reply=LOST, times=1)
    play.on(Stage.GENERATE, "t3", reply=REFUSED, times=3)
    gate = play.hold(Stage.REPAIR)
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        await gate.arrived.wait()
        await terminate(ended)
        gate.open()
        view = await (await house.resume(ended, project)).result()
    assert (view.status, statuses(view)) == (ProjectStatus.SUCCESS, ["COMPLETED"] * 3), view.reason
    assert play.count(Stage.GENERATE, "t2") == 1


async def test_what_is_complete_asks_nobody(opened: Opened) -> None:
    play = Play(json_task("j1"), text_task("t2"))
    project = spec()
    async with opened(play) as house:
        ended = await house.start(project)
        first = await ended.result()
        view = await (await house.resume(ended, project)).result()
    assert first.status is view.status is ProjectStatus.SUCCESS
    assert play.count() == first.calls == view.calls


async def test_several_times(opened: Opened) -> None:
    """Cancelled over and over, in other calls each time: the books hold over all runs."""
    play = Play(text_task("t1"), text_task("t2", "t1"), json_task("j3", "t2"))
    project = spec()
    stages = ((Stage.PLAN, ""), (Stage.GENERATE, "t1"), (Stage.EVALUATE, "t1"), (Stage.CRITIQUE, "t2"))
    async with opened(play) as house:
        gates = [play.hold(stage, task, times=1) for stage, task in stages]
        run = await house.start(project)
        for gate in gates:
            await asyncio.wait_for(gate.arrived.wait(), 20)
            await run.handle.cancel()
            view = await run.result()
            assert view.status is ProjectStatus.CANCELLED
            run = await house.resume(run, project)
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.GENERATE) == 4
    assert play.count() == view.calls
