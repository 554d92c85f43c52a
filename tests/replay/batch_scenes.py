"""Behaviours of batches whose histories are kept: each is a run that the real workflow went through."""

from collections.abc import Awaitable, Callable

from orchestrator.contracts import names
from orchestrator.contracts.messages import SetBudget
from orchestrator.contracts.project import ProjectSpec
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.tasks import Stage
from tests.workflow.batch_house import BatchRun, start_batch
from tests.workflow.harness import House, spec
from tests.workflow.play import Play, text_task

BatchScene = Callable[[House, Play], Awaitable[BatchRun]]


def one() -> Play:
    """A task that goes well."""
    return Play(text_task("t1"))


def _projects(count: int) -> dict[str, ProjectSpec]:
    return {f"p{number}": spec(project=f"Write p{number}.") for number in range(1, count + 1)}


async def _to_end(run: BatchRun, status: ProjectStatus) -> BatchRun:
    view = await run.result()
    assert view.status is status, f"{view.status.value}: {view.reason}"
    return run


async def window(house: House, play: Play) -> BatchRun:
    """More projects than may run at a time, one of them lost in the store."""
    run = await start_batch(house, _projects(4), concurrency=2, lost="p2")
    return await _to_end(run, ProjectStatus.SYSTEM_FAILURE)


async def money(house: House, play: Play) -> BatchRun:
    """A budget for one at a time, and in the end for none."""
    return await _to_end(await start_batch(house, _projects(2), max_micro=5_000_000), ProjectStatus.BUDGET_EXHAUSTED)


async def budget_raised(house: House, play: Play) -> BatchRun:
    """More money while a project runs, for one that was refused."""
    gate = play.hold(Stage.PLAN, times=1)
    run = await start_batch(house, _projects(2), max_micro=5_000_000, concurrency=1)
    await gate.arrived.wait()
    await run.steer(SetBudget(by="ann@laptop", max_micro=20_000_000))
    gate.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def continued(house: House, play: Play) -> BatchRun:
    """Several executions, with a project that lives through all of them."""
    gate = play.hold(Stage.GENERATE, times=1)
    run = await start_batch(house, _projects(6), concurrency=2, continue_after_events=40)
    await run.until(lambda view: view.projects_done == 5)
    gate.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def pause_resume(house: House, play: Play) -> BatchRun:
    """A pause while projects run."""
    gate = play.hold(Stage.GENERATE)
    run = await start_batch(house, _projects(3), concurrency=2)
    await play.until(lambda: play.count(Stage.GENERATE) == 2)
    await run.signal(names.SIGNAL_PAUSE, "lunch")
    await run.until(lambda view: view.status is ProjectStatus.PAUSED)
    gate.open()
    await run.signal(names.SIGNAL_RESUME)
    return await _to_end(run, ProjectStatus.SUCCESS)


async def cancel(house: House, play: Play) -> BatchRun:
    """Cancelled while projects run and others wait."""
    play.hold(Stage.GENERATE)
    run = await start_batch(house, _projects(3), concurrency=2)
    await play.until(lambda: play.count(Stage.GENERATE) == 2)
    await run.handle.cancel()
    return await _to_end(run, ProjectStatus.CANCELLED)


async def terminated(house: House, play: Play) -> BatchRun:
    """A project that was terminated."""
    play.hold(Stage.GENERATE, times=1)
    run = await start_batch(house, _projects(1))
    await play.until(lambda: play.count(Stage.GENERATE) == 1)
    await run.project("p1").terminate("somebody did")
    return await _to_end(run, ProjectStatus.SYSTEM_FAILURE)


async def member(house: House, play: Play) -> BatchRun:
    """The history of a project, which tells its batch how it ended."""
    run = await start_batch(house, _projects(1))
    await _to_end(run, ProjectStatus.SUCCESS)
    return BatchRun(run.project("p1"), house.client)


BATCH_SCENES: dict[str, BatchScene] = {
    "batch_window": window,
    "batch_money": money,
    "batch_budget_raised": budget_raised,
    "batch_continued": continued,
    "batch_pause_resume": pause_resume,
    "batch_cancel": cancel,
    "batch_terminated": terminated,
    "member_of_a_batch": member,
}
