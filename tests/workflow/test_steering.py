"""What operators ask of a running project: done at once and on the record, or refused without a trace."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError

from activities.model_calls import ModelActivities
from orchestrator.contracts import names
from orchestrator.contracts.messages import (
    AddGuidance,
    ApprovePlan,
    OverrideModel,
    Request,
    RetryTask,
    SetBudget,
    SetConcurrency,
    SetTimeLimit,
    SkipTask,
)
from orchestrator.contracts.project import BudgetView, EventPage, OnExhausted, ProjectStatus
from orchestrator.contracts.tools import CheckInput, CheckOutcome
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.tasks import Stage
from tests.replay.scenes import retry_in_vain, two
from tests.workflow.conftest import Opened
from tests.workflow.harness import POLL_S, Run, spec
from tests.workflow.play import DEADLINE_S, LOST, REFUSED, REVISE, Gate, Play, json_task, text_task

MENDED = '{"mended": 1}\n'
ANN = "ann@laptop"


async def accepted(run: Run) -> int:
    """Number of requests of operators in the run's histories."""
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    return sum(event.event_type == kind for history in await run.histories() for event in history.events)


async def until_event(run: Run, kind: str) -> None:
    """Wait until something of this kind has happened."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            page: EventPage = await run.query(names.QUERY_EVENTS, EventPage)
            if any(event.kind == kind for event in page.events):
                return
            await asyncio.sleep(POLL_S)


async def generations(run: Run, task: str) -> list[str]:
    """Generations of the task's calls for files, in order."""
    return [r.key.split("/")[3] for r in await run.records() if (r.task, r.stage) == (task, "generate")]


async def test_each_request_is_an_event_that_names_who_asked(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3", "t2"), text_task("t0"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.until_tasks(t0="COMPLETED")
        requests: dict[str, Request] = {
            "budget_set": SetBudget(max_micro=6_000_000, by=ANN),
            "time_limit_set": SetTimeLimit(time_limit_s=90, by=ANN),
            "concurrency_set": SetConcurrency(concurrency=3, by=ANN),
            "task_retried": RetryTask(task="t0", by=ANN),
            "task_cancel_requested": SkipTask(task="t3", by=ANN),
            "model_overridden": OverrideModel(task="t2", model="gamma:one", by=ANN),
            "guidance_added": AddGuidance(task="t2", text="Be brief.", by=f"{ANN}\x1b[2J"),
        }
        answers = [await run.steer(request) for request in requests.values()]
        await run.signal(names.SIGNAL_PAUSE, "lunch", ANN)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        await run.signal(names.SIGNAL_RESUME, ANN)
        gate.open()
        view = await run.result()
        events = await run.events()
        budget = (await run.state()).ledger.max_micro
    assert all(answers)
    assert {event.kind: event.by for event in events if event.by} == dict.fromkeys(
        (*requests, "paused", "resumed"), ANN
    )
    assert (view.max_micro, budget) == (6_000_000, 6_000_000)
    assert [task.status for task in view.tasks] == ["COMPLETED", "COMPLETED", "SKIPPED", "COMPLETED"]


async def test_what_makes_no_sense_is_refused_and_leaves_no_trace(opened: Opened) -> None:
    play = Play(text_task("t0"), text_task("t1"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.until_tasks(t0="COMPLETED")
        committed = (await run.view()).spent_micro + (await run.view()).reserved_micro
        requests: list[tuple[Request, str]] = [
            (SetBudget(max_micro=committed - 1), "spent or reserved already"),
            (SetBudget(max_micro=-1), "spent or reserved already"),
            (SetTimeLimit(time_limit_s=0), "have passed"),
            (SetTimeLimit(time_limit_s=1e12), "365 days"),
            (SetConcurrency(concurrency=0), "from 1 to 64"),
            (SetConcurrency(concurrency=65), "from 1 to 64"),
            (RetryTask(task="t1"), "t1 is RUNNING"),
            (RetryTask(task="nobody"), "there is no task 'nobody'"),
            (SkipTask(task="t0"), "t0 is COMPLETED already"),
            (SkipTask(task=""), "there is no task ''"),
            (OverrideModel(task="t1", model="other:model"), "can use alpha:one, beta:one, gamma:one"),
            (OverrideModel(task="project", model="beta:one"), "there is no task"),
            (AddGuidance(task="nobody", text="Hear me."), "there is no task"),
            (AddGuidance(text=" \n"), "empty"),
            (ApprovePlan(), "no plan waits"),
            (ApprovePlan(tasks=(text_task("t0"), text_task("t1"))), "'pause' it first"),
        ]
        before = (await run.state()).next_event, await run.query(names.QUERY_BUDGET, BudgetView)
        for request, reason in requests:
            assert reason in await run.refusal(request), request
        for name, nonsense in (
            (names.UPDATE_SET_TIME_LIMIT, {"time_limit_s": float("nan")}),
            (names.UPDATE_SET_TIME_LIMIT, {"time_limit_s": float("inf")}),
            (names.UPDATE_SET_BUDGET, {"max_micro": "a lot"}),
            (names.UPDATE_ADD_GUIDANCE, {"text": "x" * 5_000}),
            (names.UPDATE_RETRY_TASK, ["t0"]),
            ("sing", {}),
        ):
            with pytest.raises(WorkflowUpdateFailedError):
                await run.ask(name, nonsense)
        after = (await run.state()).next_event, await run.query(names.QUERY_BUDGET, BudgetView)
        gate.open()
        view = await run.result()
        assert await accepted(run) == 0
    assert before[0] == after[0]
    assert before[1].model_copy(update={"elapsed_s": 0}) == after[1].model_copy(update={"elapsed_s": 0})
    assert view.status is ProjectStatus.SUCCESS


async def test_calls_that_wait_go_on_with_a_larger_budget(opened: Opened) -> None:
    play = Play(*(text_task(f"t{number:02d}") for number in range(1, 13)))
    gate = play.hold(Stage.CRITIQUE)
    async with opened(play) as house:
        run = await house.start(spec(max_micro=190_000, concurrency=12))
        await run.until(lambda view: view.calls == 13)
        waiting = (await run.query(names.QUERY_BUDGET, BudgetView)).waiting
        assert waiting > 0
        await run.steer(SetBudget(max_micro=400_000))
        await play.until(lambda: play.count(Stage.CRITIQUE) == 12)
        assert (await run.query(names.QUERY_BUDGET, BudgetView)).waiting == 0
        gate.open()
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count() == view.calls


async def test_a_refused_task_goes_on_where_it_stood(opened: Opened) -> None:
    """A lost reply uses up what is left; the rest comes back with the money."""
    play = Play(text_task("t1"), text_task("t2", prompt="x" * 15_000), text_task("t3", "t2"), text_task("t4", "t3"))
    held, lost = play.hold(Stage.GENERATE, "t1"), play.hold(Stage.GENERATE, "t2", times=1)
    play.on(Stage.GENERATE, "t2", reply=LOST, times=1)
    async with opened(play) as house:
        run = await house.start(spec())
        await asyncio.gather(held.arrived.wait(), lost.arrived.wait())
        view = await run.view()
        await run.steer(SetBudget(max_micro=view.spent_micro + view.reserved_micro))
        lost.open()
        await run.until_tasks(t2="FAILED", t3="SKIPPED", t4="SKIPPED")
        await run.steer(SetBudget(max_micro=5_000_000))
        await run.until_tasks(t4="COMPLETED")
        held.open()
        view = await run.result()
        assert await generations(run, "t2") == ["0", "0"]
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.GENERATE, "t2") == 2
    assert play.count() == view.calls


async def test_a_step_that_is_refused_while_money_comes_is_tried_again(opened: Opened) -> None:
    """The critic is refused; before the validators are through, the budget is raised."""
    play = Play(json_task("j1").model_copy(update={"prompt": "x" * 15_000}), text_task("t2"))
    held, critic, checking = play.hold(Stage.GENERATE, "t2"), play.hold(Stage.CRITIQUE, times=1), Gate()
    play.on(Stage.CRITIQUE, reply=LOST, times=1)

    def validate(_: ModelActivities) -> Callable[[CheckInput], Awaitable[CheckOutcome]]:
        @activity.defn(name=names.ACTIVITY_VALIDATE)
        async def slow(_: CheckInput) -> CheckOutcome:
            await checking.opened.wait()
            return CheckOutcome(verdicts=(), summary="fine")

        return slow

    async with opened(play, instead=validate) as house:
        run = await house.start(spec())
        await asyncio.gather(held.arrived.wait(), critic.arrived.wait())
        view = await run.view()
        await run.steer(SetBudget(max_micro=view.spent_micro + view.reserved_micro))
        critic.open()
        await until_event(run, "call_refused")
        await run.steer(SetBudget(max_micro=5_000_000))
        checking.open()
        held.open()
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.CRITIQUE, "j1") == 2


async def test_pausing_instead_of_ending_when_the_money_ends(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        run = await house.start(spec(max_micro=22_000, on_exhausted=OnExhausted.PAUSE))
        first = await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        asked = play.count()
        await run.signal(names.SIGNAL_RESUME)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        assert play.count() == asked > 0
        await run.steer(SetBudget(max_micro=22_001))
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        await run.steer(SetBudget(max_micro=500_000))
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
    assert "larger budget" in first.reason
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count() == view.calls
    assert kinds.count("paused") == kinds.count("resumed") == 3


async def test_a_run_that_waits_for_money_can_be_ended(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        run = await house.start(spec(max_micro=22_000, on_exhausted=OnExhausted.PAUSE))
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        await run.handle.cancel()
        view = await run.result()
    assert view.status is ProjectStatus.CANCELLED


async def test_the_time_limit_can_be_moved(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    first, second = play.hold(Stage.GENERATE, "t1"), play.hold(Stage.EVALUATE, "t2")
    async with opened(play) as house:
        run = await house.start(spec(time_limit_s=2.0))
        await asyncio.gather(first.arrived.wait(), second.arrived.wait())
        await run.steer(SetTimeLimit(time_limit_s=60))
        await asyncio.sleep(2.2)
        first.open()
        await run.until_tasks(t1="COMPLETED")
        await run.steer(SetTimeLimit(time_limit_s=(await run.view()).elapsed_s + 0.3))
        view = await run.result()
    assert view.status is ProjectStatus.TIMEOUT
    assert [task.status for task in view.tasks] == ["COMPLETED", "DEGRADED"]


async def test_more_and_fewer_tasks_at_a_time(opened: Opened) -> None:
    play = Play(*(text_task(f"t{number}") for number in range(1, 6)))
    first, later = play.hold(Stage.GENERATE, times=3), play.hold(Stage.GENERATE, "t4")
    async with opened(play) as house:
        run = await house.start(spec(concurrency=1))
        await first.arrived.wait()
        assert play.count(Stage.GENERATE) == 1
        await run.steer(SetConcurrency(concurrency=3))
        await play.until(lambda: play.count(Stage.GENERATE) == 3)
        await run.steer(SetConcurrency(concurrency=1))
        first.open()
        await run.until(lambda view: view.tasks_done == 3)
        await later.arrived.wait()
        statuses = [task.status for task in (await run.tasks()).values()]
        assert (statuses.count("RUNNING"), statuses.count("PENDING")) == (1, 1)
        later.open()
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS


async def test_a_failed_task_is_done_again_with_what_built_on_it(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3", "t2"), text_task("t4"))
    gate = play.hold(Stage.GENERATE, "t4")
    play.on(Stage.GENERATE, "t1", reply=REFUSED, times=3)
    async with opened(play) as house:
        run = await house.start(spec())
        await run.until_tasks(t1="FAILED", t2="SKIPPED", t3="SKIPPED")
        assert "2 task(s)" in await run.steer(RetryTask(task="t1"))
        await run.until_tasks(t3="COMPLETED")
        gate.open()
        view = await run.result()
        assert await generations(run, "t1") == ["0", "0", "0", "1"]
    assert view.status is ProjectStatus.SUCCESS, view.reason


async def test_a_completed_task_is_done_again(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    gate = play.hold(Stage.GENERATE, "t2")
    async with opened(play) as house:
        run = await house.start(spec())
        await run.until_tasks(t1="COMPLETED")
        play.contents["t1.txt"] = "Another text.\n"
        await run.steer(RetryTask(task="t1"))
        await play.until(lambda: play.count(Stage.EVALUATE, "t1") == 4)
        gate.open()
        view = await run.result()
        assert await generations(run, "t1") == ["0", "1"]
    assert view.status is ProjectStatus.SUCCESS
    assert view.tasks[0].spent_micro > view.tasks[1].spent_micro  # both rounds are on its bill


async def test_a_retry_in_vain_leaves_what_there_was(opened: Opened) -> None:
    play = two()
    async with opened(play) as house:
        view = await (await retry_in_vain(house, play)).result()
        paths = await house.published(view)
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert {"t1.txt", "t2.txt"} <= paths
    assert view.tasks[0].reason.startswith("as before its retry, which gave nothing better: ")


async def test_what_a_retry_was_not_let_to_replace_is_published(opened: Opened) -> None:
    """One task is skipped before its retry has anything, one waits for its turn when the run is cancelled."""
    play = Play(text_task("t1"), text_task("t2"), text_task("t3"))
    slow = play.hold(Stage.GENERATE, "t3")
    async with opened(play) as house:
        run = await house.start(spec())
        await slow.arrived.wait()
        await run.until_tasks(t1="COMPLETED", t2="COMPLETED")
        again = play.hold(Stage.GENERATE, "t1")
        await run.steer(RetryTask(task="t1"))
        await again.arrived.wait()
        await run.steer(SkipTask(task="t1"))
        await run.until_tasks(t1="SKIPPED")
        await run.steer(SetConcurrency(concurrency=1))
        await run.steer(RetryTask(task="t2"))
        await run.handle.cancel()
        view = await run.result()
        paths = await house.published(view)
    assert [task.status for task in view.tasks[:2]] == ["SKIPPED", "PENDING"]
    assert {"t1.txt", "t2.txt"} <= paths
    assert [task.files for task in view.tasks[:2]] == [("t1.txt",), ("t2.txt",)]


async def test_a_task_under_way_keeps_seeing_what_is_done_again(opened: Opened) -> None:
    """Its models do, and its validators do."""
    play = Play(text_task("t1"), json_task("j2", "t1"))
    play.on(Stage.CRITIQUE, "j2", reply=REVISE, times=1)
    critique = play.hold(Stage.CRITIQUE, "j2")
    checked: list[set[str]] = []  # files that each check of j2 saw

    def validate(_: ModelActivities) -> Callable[[CheckInput], Awaitable[CheckOutcome]]:
        @activity.defn(name=names.ACTIVITY_VALIDATE)
        async def recording(given: CheckInput) -> CheckOutcome:
            checked.append({path for draft in given.drafts for path in draft.paths})
            return CheckOutcome(verdicts=(), summary="fine")

        return recording

    async with opened(play, instead=validate) as house:
        run = await house.start(spec())
        await critique.arrived.wait()
        again = play.hold(Stage.GENERATE, "t1")
        await run.steer(RetryTask(task="t1"))
        await again.arrived.wait()
        critique.open()
        await play.until(lambda: play.count(Stage.EVALUATE, "j2") > 0)  # t1 is still being written
        assert len(checked) == 2
        assert all({"t1.txt", "j2.json"} <= paths for paths in checked)
        play.open_all()
        view = await run.result()
    assert "The text of t1.txt." in play.requests(Stage.REVISE, "j2")[0].request.prompt
    assert view.status is ProjectStatus.SUCCESS, view.reason


async def test_a_task_is_done_again_in_the_middle_of_integration(opened: Opened) -> None:
    """Repairs that wait for their turn are given up; what is asked in the next integration has keys of its own."""
    play = Play(json_task("j1"), json_task("j2"), text_task("t3", "j2"))
    play.contents |= {"j1.json": "{broken\n", "j2.json": "{broken\n"}
    gate = play.hold(Stage.REPAIR, times=1)
    async with opened(play) as house:
        run = await house.start(spec(concurrency=1))
        await gate.arrived.wait()
        assert (await run.view()).status is ProjectStatus.INTEGRATING
        play.contents |= {"j1.json": MENDED, "j2.json": MENDED}
        await run.steer(RetryTask(task="j2"))
        gate.open()
        view = await run.result()
        assert set(await generations(run, "j2")) == {"0", "1"}
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.REPAIR) == 1
    assert [task.status for task in view.tasks] == ["COMPLETED"] * 3


async def test_a_task_is_skipped(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3"), text_task("t4"))
    gate = play.hold(Stage.GENERATE, "t1")
    other = play.hold(Stage.CRITIQUE, "t4")
    async with opened(play) as house:
        run = await house.start(spec())
        await asyncio.gather(gate.arrived.wait(), other.arrived.wait())
        await run.steer(SkipTask(task="t2"))
        await run.steer(SkipTask(task="t4"))
        gate.open()
        view = await run.result()
        assert (await run.state()).calls == {}  # nobody goes on with what was cancelled
    assert [task.status for task in view.tasks] == ["COMPLETED", "SKIPPED", "COMPLETED", "SKIPPED"]
    assert play.count(Stage.EVALUATE, "t4") == 0


async def test_what_is_said_to_be_skipped_is_skipped_even_if_it_gets_done_just_then(opened: Opened) -> None:
    names_of = [f"t{number:02d}" for number in range(1, 13)]
    play = Play(text_task("t00"), *map(text_task, names_of))
    gates = [play.hold(Stage.EVALUATE, name) for name in names_of]
    other = play.hold(Stage.GENERATE, "t00")
    async with opened(play) as house:
        run = await house.start(spec(concurrency=13))
        await asyncio.gather(*(gate.arrived.wait() for gate in gates))

        async def skipped(name: str, gate: Gate) -> bool:
            gate.open()
            return not await run.refusal(SkipTask(task=name))  # else it had been done before

        told = await asyncio.gather(*map(skipped, names_of, gates))
        other.open()
        view = await run.result()
    wanted = {"t00": "COMPLETED"} | {
        name: "SKIPPED" if was else "COMPLETED" for name, was in zip(names_of, told, strict=True)
    }
    assert any(told)
    assert {task.id: task.status for task in view.tasks} == wanted


async def test_a_task_is_skipped_while_the_run_is_paused(opened: Opened) -> None:
    """One that waits for budget leaves the queue, so that nobody waits behind it for ever."""
    play = Play(*(text_task(f"t{number:02d}") for number in range(1, 13)))
    gate = play.hold(Stage.CRITIQUE)
    async with opened(play) as house:
        run = await house.start(spec(max_micro=190_000, concurrency=12))
        await run.until(lambda view: view.calls == 13)
        await run.signal(names.SIGNAL_PAUSE)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        gate.open()
        await run.until(lambda view: view.reserved_micro == 0)
        waits = [name for name in await run.tasks() if not play.count(Stage.CRITIQUE, name)]
        await run.steer(SkipTask(task=waits[0]))
        await run.until_tasks(**{waits[0]: "SKIPPED"})
        await run.signal(names.SIGNAL_RESUME)
        view = await run.result()
    assert sum(task.status == "COMPLETED" for task in view.tasks) == 11


async def test_another_model_is_asked_from_the_next_call_on(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.steer(OverrideModel(task="t1", stage=Stage.CRITIQUE, model="beta:one"))
        await run.steer(OverrideModel(task="t1", stage=Stage.CRITIQUE, model="gamma:one"))
        await run.steer(OverrideModel(task="t2", model="beta:one"))
        gate.open()
        view = await run.result()
    assert [asked.vendor for asked in play.requests(Stage.CRITIQUE, "t1")] == ["gamma"]
    assert [asked.vendor for asked in play.requests(Stage.GENERATE, "t2")] == ["beta"]
    assert "beta" not in {asked.vendor for asked in play.requests(Stage.CRITIQUE, "t2")}  # it does not review itself
    assert [asked.vendor for asked in play.requests(Stage.GENERATE, "t1")] == ["alpha"]
    assert view.status is ProjectStatus.SUCCESS


async def test_guidance_reaches_later_prompts(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3", "t1"))
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.steer(AddGuidance(text="Write in verse."))
        await run.steer(AddGuidance(task="t2", text="Name no rivers."))
        gate.open()
        await run.result()

    def told(text: str, task: str) -> list[bool]:
        return [text in asked.request.prompt for asked in play.requests(Stage.GENERATE, task)]

    assert (told("verse", "t1"), told("verse", "t2"), told("verse", "t3")) == ([False], [True], [True])
    assert (told("rivers", "t2"), told("rivers", "t3")) == ([True], [False])


async def test_budget_warnings_are_given_once(opened: Opened) -> None:
    play = Play(*(text_task(f"t{number}") for number in range(1, 9)))
    async with opened(play) as house:
        run = await house.start(spec(max_micro=70_000, concurrency=2, continue_after_events=60))
        view = await run.result()
        warnings = [event.text for event in await run.events() if event.kind == "budget_warning"]
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED
    assert len(set(warnings)) == len(warnings)
    assert "planning has used 100 % of its share (5 % of the budget)" in warnings
    assert any("80 %" in text for text in warnings), warnings


async def test_a_plan_waits_for_a_person(opened: Opened) -> None:
    """As long as it takes: waiting does not count against the time limit."""
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        run = await house.start(spec(approve_plan=True, time_limit_s=2.5))
        view = await run.until(lambda view: view.status is ProjectStatus.WAITING_APPROVAL)
        await asyncio.sleep(2.7)
        await run.signal(names.SIGNAL_RESUME)  # ends pauses of operators, and approves nothing
        assert (await run.view()).status is ProjectStatus.WAITING_APPROVAL
        assert play.count() == 1
        await run.steer(ApprovePlan(by=ANN))
        assert "no plan waits" in await run.refusal(ApprovePlan())
        result = await run.result()
        approved = [event for event in await run.events() if event.kind == "plan_approved"]
    assert "approval" in view.reason
    assert result.status is ProjectStatus.SUCCESS, result.reason
    assert result.elapsed_s < 2.5
    assert [event.by for event in approved] == [ANN]


async def test_a_plan_is_edited_before_it_is_approved(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    bad: list[tuple[list[PlannedTask], str]] = [
        ([], "no tasks"),
        ([text_task("t1", "t2"), text_task("t2", "t1")], "dependency cycle"),
        ([text_task("t1", "t0")], "'t0', which is no task"),
        ([text_task("t1"), text_task("t2", files=["t1.txt"])], "belongs to two tasks"),
        ([text_task("t1", files=["../../etc/passwd"])], "etc/passwd"),
        ([text_task("t1", validators=["prayer"])], "unknown validator 'prayer'"),
        ([text_task("project")], "reserved"),
    ]
    async with opened(play) as house:
        run = await house.start(spec(approve_plan=True))
        await run.until(lambda view: view.status is ProjectStatus.WAITING_APPROVAL)
        for tasks, reason in bad:
            assert reason in await run.refusal(ApprovePlan(tasks=tuple(tasks)))
        assert await accepted(run) == 0
        play.tasks = (text_task("t2", prompt="Write it in two lines."), text_task("t3", "t2"))
        await run.steer(ApprovePlan(tasks=play.tasks))
        view = await run.result()
    assert [(task.id, task.status) for task in view.tasks] == [("t2", "COMPLETED"), ("t3", "COMPLETED")]
    assert "in two lines" in play.requests(Stage.GENERATE, "t2")[0].request.prompt
    assert play.count(task="t1") == 0


async def test_a_plan_is_changed_while_the_run_is_paused(opened: Opened) -> None:
    t0, t1, t2, t3 = text_task("t0"), text_task("t1"), text_task("t2", "t1"), text_task("t3", "t2")
    play = Play(t0, t1, t2)
    gate = play.hold(Stage.GENERATE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        await run.until_tasks(t0="COMPLETED")
        assert "'pause' it first" in await run.refusal(ApprovePlan(tasks=(t0, t1, t2, t3)))
        await run.signal(names.SIGNAL_PAUSE)
        await run.until(lambda view: view.status is ProjectStatus.PAUSED)
        other = t1.model_copy(update={"prompt": "Write something else."})
        assert "'t1' has begun (RUNNING)" in await run.refusal(ApprovePlan(tasks=(t0, other, t2)))
        assert "'t0' has begun (COMPLETED)" in await run.refusal(ApprovePlan(tasks=(t1, t2)))
        await run.steer(RetryTask(task="t0"))
        assert "'t0' has begun (PENDING)" in await run.refusal(ApprovePlan(tasks=(t1, t2)))  # it has cost money
        await run.steer(ApprovePlan(tasks=(t0, t1, text_task("t2", "t1", prompt="Write it anew."), t3)))
        play.tasks = (t0, t1, t2, t3)
        gate.open()
        await run.signal(names.SIGNAL_RESUME)
        view = await run.result()
    assert [(task.id, task.status) for task in view.tasks] == [(name, "COMPLETED") for name in ("t0", "t1", "t2", "t3")]
    assert "Write it anew." in play.requests(Stage.GENERATE, "t2")[0].request.prompt
    assert play.count(Stage.GENERATE, "t1") == 1


async def test_a_run_that_only_plans(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        view = await house.play(spec(plan_only=True))
    assert view.status is ProjectStatus.CANCELLED
    assert "planned only" in view.reason
    assert [task.status for task in view.tasks] == ["PENDING", "PENDING"]
    assert (play.count(), view.calls) == (1, 1)
