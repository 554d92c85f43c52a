"""Behaviours whose histories are kept: each is a run that the real workflow went through."""

import base64
import random
from collections.abc import Awaitable, Callable

from orchestrator.contracts import names
from orchestrator.contracts.project import ProjectStatus, Timeouts
from orchestrator.domain.answers import PlanAnswer
from orchestrator.domain.tasks import Stage
from tests.workflow.harness import House, Run, spec
from tests.workflow.play import DOWN, REVISE, Play, json_task, text_task

LARGE_BYTES = 190_000
REPAIRED = '```json path=j1.json\n{"mended": 1}\n```'

Scene = Callable[[House, Play], Awaitable[Run]]


def two() -> Play:
    """Two tasks, one after the other."""
    return Play(text_task("t1"), text_task("t2", "t1"))


def broken() -> Play:
    """A file that its validator rejects, and a task that is fine."""
    play = Play(json_task("j1"), text_task("t2"))
    play.contents["j1.json"] = "{broken\n"
    return play


async def success(house: House, play: Play) -> Run:
    """All goes well."""
    return await _to_end(await house.start(spec()), ProjectStatus.SUCCESS)


async def revision(house: House, play: Play) -> Run:
    """A reviewer asks for a revision."""
    play.on(Stage.CRITIQUE, "t1", reply=REVISE)
    return await _to_end(await house.start(spec()), ProjectStatus.SUCCESS)


async def repair(house: House, play: Play) -> Run:
    """Integration finds what is broken, mends it, and the task is judged after all."""
    play.on(Stage.REPAIR, reply=REPAIRED)
    return await _to_end(await house.start(spec()), ProjectStatus.SUCCESS)


async def fallback(house: House, play: Play) -> Run:
    """One vendor is down."""
    play.down("alpha")
    return await _to_end(await house.start(spec()), ProjectStatus.SUCCESS)


async def outage(house: House, play: Play) -> Run:
    """All vendors go away after the plan."""
    play.on(Stage.GENERATE, reply=DOWN)
    return await _to_end(await house.start(spec()), ProjectStatus.SYSTEM_FAILURE)


async def pause_resume(house: House, play: Play) -> Run:
    """A pause in the middle of a call."""
    gate = play.hold(Stage.GENERATE, "t1")
    run = await house.start(spec())
    await gate.arrived.wait()
    await run.signal(names.SIGNAL_PAUSE, "lunch")
    gate.open()
    await run.until(lambda view: view.calls == 2)
    await run.signal(names.SIGNAL_RESUME)
    return await _to_end(run, ProjectStatus.SUCCESS)


async def cancel(house: House, play: Play) -> Run:
    """Cancelled while a critic reads."""
    gate = play.hold(Stage.CRITIQUE, "t2")
    run = await house.start(spec())
    await gate.arrived.wait()
    await run.handle.cancel()
    return await _to_end(run, ProjectStatus.CANCELLED)


async def cancel_task(house: House, play: Play) -> Run:
    """One task is cancelled while it runs; bare and unknown ids change nothing."""
    gate = play.hold(Stage.GENERATE, "t1")
    run = await house.start(spec())
    await gate.arrived.wait()
    await run.signal(names.SIGNAL_CANCEL_TASK)
    await run.signal(names.SIGNAL_CANCEL_TASK, "nobody")
    await run.signal(names.SIGNAL_CANCEL_TASK, "t1")
    return await _to_end(run, ProjectStatus.SYSTEM_FAILURE)


async def timeout(house: House, play: Play) -> Run:
    """The time is up while judges think."""
    play.hold(Stage.EVALUATE, "t2")
    return await _to_end(await house.start(spec(time_limit_s=2.0)), ProjectStatus.TIMEOUT)


async def exhaustion(house: House, play: Play) -> Run:
    """The money ends in the middle."""
    return await _to_end(await house.start(spec(max_micro=22_000)), ProjectStatus.BUDGET_EXHAUSTED)


async def continue_as_new(house: House, play: Play) -> Run:
    """Several executions, with a repair in the last."""
    play.on(Stage.REPAIR, reply=REPAIRED)
    return await _to_end(await house.start(spec(continue_after_events=40)), ProjectStatus.SUCCESS)


async def uncertain_reconcile(house: House, play: Play) -> Run:
    """A reply is given up, comes after all, and is charged by its actual cost."""
    late = play.hold(Stage.GENERATE, times=1)
    judges = play.hold(Stage.EVALUATE)
    run = await house.start(spec(timeouts=Timeouts(heartbeat_s=2.0, give_up_s=2.0)))
    await judges.arrived.wait()
    late.open()
    await play.until(lambda: sum(asked.stage is Stage.GENERATE for asked in play.answered) == 2)
    judges.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def plan_failure(house: House, play: Play) -> Run:
    """Three invalid plans."""
    play.on(Stage.PLAN, reply=PlanAnswer(tasks=[text_task("t1", "t2"), text_task("t2", "t1")]))
    return await _to_end(await house.start(spec()), ProjectStatus.SYSTEM_FAILURE)


async def large_input(house: House, play: Play) -> Run:
    """A project text so large that it is kept outside of the history."""
    text = base64.b64encode(random.Random(0).randbytes(LARGE_BYTES * 3 // 4)).decode()
    return await _to_end(await house.start(spec(project=text)), ProjectStatus.SUCCESS)


SCENES: dict[str, tuple[Scene, Callable[[], Play]]] = {
    "success": (success, two),
    "revision": (revision, two),
    "repair": (repair, broken),
    "fallback": (fallback, two),
    "outage": (outage, two),
    "pause_resume": (pause_resume, two),
    "cancel": (cancel, two),
    "cancel_task": (cancel_task, two),
    "timeout": (timeout, two),
    "exhaustion": (exhaustion, two),
    "continue_as_new": (continue_as_new, broken),
    "uncertain_reconcile": (uncertain_reconcile, lambda: Play(text_task("t1"))),
    "plan_failure": (plan_failure, two),
    "large_input": (large_input, lambda: Play(text_task("t1"))),
}


async def _to_end(run: Run, status: ProjectStatus) -> Run:
    view = await run.result()
    assert view.status is status, f"{view.status.value}: {view.reason}"
    return run
