"""Behaviours whose histories are kept: each is a run that the real workflow went through."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable

from orchestrator.contracts import names
from orchestrator.contracts.messages import (
    AddGuidance,
    ApprovePlan,
    ChooseSuggestions,
    OverrideModel,
    RetryTask,
    SetBudget,
    SetConcurrency,
    SetTimeLimit,
    SkipTask,
)
from orchestrator.contracts.project import OnExhausted, ProjectStatus, Timeouts
from orchestrator.domain.answers import (
    ArchitectureAnswer,
    CriteriaAnswer,
    CriterionAnswer,
    PlanAnswer,
    Suggestion,
    SuggestionKind,
    SuggestionsAnswer,
)
from orchestrator.domain.apps import AppType, ArchitectureWishes, EnhanceMode
from orchestrator.domain.tasks import Stage
from tests.workflow.harness import House, Run, spec
from tests.workflow.play import DOWN, LOST, REFUSED, REVISE, Play, json_task, text_task

LARGE_BYTES = 190_000
SUGGESTED = SuggestionsAnswer(
    suggestions=[
        Suggestion(
            kind=SuggestionKind.RISK, title=title, description="It matters.", patch_project=f"{title} is handled."
        )
        for title in ("Rain", "Snow")
    ]
)
REPAIRED = '```json path=j1.json\n{"mended": 1}\n```'

Scene = Callable[[House, Play], Awaitable[Run]]


def two() -> Play:
    """Two tasks, one after the other."""
    return Play(text_task("t1"), text_task("t2", "t1"))


def dear() -> Play:
    """A cheap task, and two of which the first has a long prompt."""
    return Play(text_task("t1"), text_task("t2", prompt="x" * 15_000), text_task("t3", "t2"))


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


async def approval(house: House, play: Play) -> Run:
    """A person changes the plan before it is carried out."""
    run = await house.start(spec(approve_plan=True))
    await run.until(lambda view: view.status is ProjectStatus.WAITING_APPROVAL)
    play.tasks = (text_task("t2", prompt="Write it in two lines."), text_task("t3", "t2"))
    await run.steer(ApprovePlan(tasks=play.tasks, by="ann"))
    return await _to_end(run, ProjectStatus.SUCCESS)


async def rejection(house: House, play: Play) -> Run:
    """Requests that make no sense, among some that do."""
    gate = play.hold(Stage.GENERATE, "t1")
    run = await house.start(spec())
    await gate.arrived.wait()
    for request in (SetBudget(max_micro=1), RetryTask(task="t1"), ApprovePlan(), SetConcurrency(concurrency=0)):
        assert await run.refusal(request)
    await run.steer(SetConcurrency(concurrency=2))
    await run.steer(SetTimeLimit(time_limit_s=90.0))
    await run.steer(AddGuidance(task="t2", text="Be brief."))
    await run.steer(OverrideModel(task="t2", model="gamma:one"))
    assert await run.refusal(SkipTask(task="t9"))
    gate.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def budget_raised(house: House, play: Play) -> Run:
    """A task is refused and what builds on it is skipped; both come back with more money."""
    held, lost = play.hold(Stage.GENERATE, "t1"), play.hold(Stage.GENERATE, "t2", times=1)
    play.on(Stage.GENERATE, "t2", reply=LOST, times=1)
    run = await house.start(spec())
    await asyncio.gather(held.arrived.wait(), lost.arrived.wait())
    view = await run.view()
    await run.steer(SetBudget(max_micro=view.spent_micro + view.reserved_micro))
    lost.open()
    await run.until_tasks(t2="FAILED", t3="SKIPPED")
    await run.steer(SetBudget(max_micro=5_000_000))
    await run.until_tasks(t3="COMPLETED")
    held.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def pause_on_exhaustion(house: House, play: Play) -> Run:
    """The money ends; the run waits for more."""
    run = await house.start(spec(max_micro=22_000, on_exhausted=OnExhausted.PAUSE))
    await run.until(lambda view: view.status is ProjectStatus.PAUSED)
    await run.steer(SetBudget(max_micro=500_000))
    return await _to_end(run, ProjectStatus.SUCCESS)


async def retry(house: House, play: Play) -> Run:
    """A failed task is done again in the middle of integration; another one is skipped before."""
    gate, other = play.hold(Stage.REPAIR, times=1), play.hold(Stage.GENERATE, "t2", times=1)
    run = await house.start(spec(concurrency=2))
    await other.arrived.wait()
    await run.steer(SkipTask(task="t2"))
    await gate.arrived.wait()
    play.contents["j1.json"] = '{"mended": 1}\n'
    await run.steer(RetryTask(task="j1"))
    await run.steer(RetryTask(task="t2"))
    gate.open()
    return await _to_end(run, ProjectStatus.SUCCESS)


async def retry_in_vain(house: House, play: Play) -> Run:
    """A task that was done is done again, without an answer: it keeps what it had."""
    gate = play.hold(Stage.GENERATE, "t2")
    run = await house.start(spec())
    await run.until_tasks(t1="COMPLETED")
    play.on(Stage.GENERATE, "t1", reply=REFUSED, times=3)
    await run.steer(RetryTask(task="t1"))
    await run.until_tasks(t1="DEGRADED")
    gate.open()
    return await _to_end(run, ProjectStatus.COMPLETED_DEGRADED)


async def suggestions(house: House, play: Play) -> Run:
    """A person chooses among suggestions, after a choice that makes no sense; then an architecture is advised."""
    play.on(Stage.ENHANCE, reply=SUGGESTED)
    play.on(Stage.ADVISE, reply=ArchitectureAnswer(app_type="library", structural_pattern="layered"))
    run = await house.start(spec(enhance=EnhanceMode.ASK, advise=True))
    await run.until(lambda view: view.awaits == "suggestions")
    assert await run.refusal(ChooseSuggestions(accepted=("s9",)))
    await run.steer(ChooseSuggestions(accepted=("s2",), by="ann"))
    await run.result()
    return run


async def suggestions_resumed(house: House, play: Play) -> Run:
    """The run after one that ended while its suggestions waited: all are applied now."""
    play.on(Stage.ENHANCE, reply=SUGGESTED)
    project = spec(enhance=EnhanceMode.ASK)
    ended = await house.start(project)
    await ended.until(lambda view: view.awaits == "suggestions")
    await ended.handle.cancel()
    await _to_end(ended, ProjectStatus.CANCELLED)
    changed = project.model_copy(update={"enhance": EnhanceMode.ALL})
    return await _to_end(await house.resume(ended, changed), ProjectStatus.SUCCESS)


async def no_advice(house: House, play: Play) -> Run:
    """Nobody suggests or advises anything usable: the run goes on without."""
    play.on(Stage.ENHANCE, reply="no")
    play.on(Stage.ADVISE, reply="no")
    run = await house.start(spec(enhance=EnhanceMode.ALL, advise=True))
    await run.result()
    return run


async def scaffold_and_criteria(house: House, play: Play) -> Run:
    """The software starts from a scaffold; one of two criteria does not hold before a repair."""
    missed = CriterionAnswer(number=2, met=False, evidence="t1.txt does not say so", file="t1.txt")
    met = [CriterionAnswer(number=number, met=True, evidence="t1.txt says so") for number in (1, 2)]
    play.on(Stage.JUDGE, reply=CriteriaAnswer(results=[met[0], missed]), times=1)
    play.on(Stage.JUDGE, reply=CriteriaAnswer(results=met))
    wishes = ArchitectureWishes(app_type=AppType.LIBRARY)
    run = await house.start(spec(criteria="It is short\nIt rhymes", judge_criteria=True, wishes=wishes))
    view = await run.result()
    assert [one.met for one in view.criteria] == [True, True], view.criteria
    return run


async def resumed(house: House, play: Play) -> Run:
    """The run after one that was cancelled in the middle of a call."""
    gate = play.hold(Stage.CRITIQUE, "t2", times=1)
    project = spec()
    ended = await house.start(project)
    await gate.arrived.wait()
    await ended.handle.cancel()
    await _to_end(ended, ProjectStatus.CANCELLED)
    return await _to_end(await house.resume(ended, project), ProjectStatus.SUCCESS)


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
    "approval": (approval, two),
    "rejection": (rejection, two),
    "budget_raised": (budget_raised, dear),
    "pause_on_exhaustion": (pause_on_exhaustion, two),
    "retry": (retry, broken),
    "retry_in_vain": (retry_in_vain, two),
    "resumed": (resumed, two),
    "suggestions": (suggestions, two),
    "suggestions_resumed": (suggestions_resumed, two),
    "no_advice": (no_advice, two),
    "scaffold_and_criteria": (scaffold_and_criteria, two),
    "large_input": (large_input, lambda: Play(text_task("t1"))),
}


async def _to_end(run: Run, status: ProjectStatus) -> Run:
    view = await run.result()
    assert view.status is status, f"{view.status.value}: {view.reason}"
    return run
