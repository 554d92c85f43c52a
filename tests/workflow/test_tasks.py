"""What happens to tasks when nothing is in the way, and when models and validators ask for more."""

from collections import Counter

import pytest

from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import Evaluation
from orchestrator.domain.tasks import Stage, TaskType
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import REVISE, Play, json_task, text_task


async def test_all_goes_well(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"), text_task("t3", "t1"))
    async with opened(play) as house:
        run = await house.start(spec())
        view = await run.result()
        events = await run.events()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert [task.status for task in view.tasks] == ["COMPLETED"] * 3
    assert view.quality_score == pytest.approx(0.95)
    assert (view.tasks_done, view.tasks_total, view.calls) == (3, 3, 1 + 3 * 4)
    assert view.manifest is not None
    assert view.uncertain_micro == 0
    assert [task.files for task in view.tasks] == [("t1.txt",), ("t2.txt",), ("t3.txt",)]
    for task in view.tasks:
        assert task.reviewer.split(":")[0] != task.model.split(":")[0]
        assert set(task.spent_by_stage) == {"generate", "critique", "evaluate"}
    assert set(view.spent_by_stage) == {"plan"}
    judges = {asked.vendor for asked in play.requests(Stage.EVALUATE, "t1")}
    assert judges == {"beta", "gamma"}  # alpha wrote it
    kinds = [event.kind for event in events]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert kinds.index("planned") < kinds.index("task_running") < kinds.index("task_completed")
    assert Counter(kinds)["call_started"] == Counter(kinds)["call_settled"] == view.calls
    assert [event.time_s for event in events] == sorted(event.time_s for event in events)


async def test_a_task_starts_when_its_own_dependencies_are_done(opened: Opened) -> None:
    play = Play(text_task("slow"), text_task("quick"), text_task("after", "quick"))
    slow = play.hold(Stage.GENERATE, "slow")
    async with opened(play) as house:
        run = await house.start(spec())
        await play.until(lambda: play.count(Stage.EVALUATE, "after") == 2)
        assert (await run.tasks())["slow"].status == "RUNNING"
        slow.open()
        assert (await run.result()).status is ProjectStatus.SUCCESS


async def test_a_dependent_sees_the_files_of_its_dependencies(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        await house.play(spec())
    assert "The text of t1.txt." in play.requests(Stage.GENERATE, "t2")[0].request.prompt


async def test_the_longest_path_goes_first_and_slots_are_limited(opened: Opened) -> None:
    play = Play(
        text_task("leaf1"), text_task("leaf2"), text_task("root"), text_task("mid", "root"), text_task("end", "mid")
    )
    gate = play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await house.start(spec(concurrency=2))
        await play.until(lambda: play.count(Stage.GENERATE) == 2)
        running = [task.id for task in (await run.tasks()).values() if task.status == "RUNNING"]
        assert running == ["leaf1", "root"]
        gate.open()
        assert (await run.result()).status is ProjectStatus.SUCCESS


async def test_a_revision_only_where_it_is_asked_for(opened: Opened) -> None:
    play = Play(text_task("fine"), text_task("rough"))
    play.on(Stage.CRITIQUE, "rough", reply=REVISE)
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS
    assert [asked.task for asked in play.requests(Stage.REVISE)] == ["rough"]
    revision = play.requests(Stage.REVISE)[0].request.prompt
    assert "Say it better." in revision
    assert "The text of rough.txt." in revision


async def test_a_weak_author_is_replaced_and_the_best_version_stays(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.EVALUATE, reply=Evaluation(score=0.6), times=2)
    play.on(Stage.EVALUATE, reply=Evaluation(score=0.5), times=2)
    async with opened(play) as house:
        view = await house.play(spec())
    assert [asked.vendor for asked in play.requests(Stage.GENERATE)] == ["alpha", "beta"]
    (task,) = view.tasks
    assert (task.status, task.score, task.model, task.iterations) == ("DEGRADED", 0.6, "alpha:one", 2)
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert "0.60" in play.requests(Stage.GENERATE)[1].request.prompt


@pytest.mark.parametrize(("target", "status", "written"), [(0.6, "COMPLETED", 1), (0.99, "DEGRADED", 2)])
async def test_the_projects_own_target_decides(opened: Opened, target: float, status: str, written: int) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.EVALUATE, reply=Evaluation(score=0.7 if status == "COMPLETED" else 0.95))
    async with opened(play) as house:
        view = await house.play(spec(quality_targets={TaskType.SUMMARIZATION: target, TaskType.CODE_REVIEW: 0.1}))
    assert view.tasks[0].status == status
    assert play.count(Stage.GENERATE) == written


async def test_judges_who_disagree_take_the_lower_score(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.EVALUATE, vendor="beta", reply=Evaluation(score=0.99))
    play.on(Stage.EVALUATE, vendor="gamma", reply=Evaluation(score=0.81))
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.tasks[0].score == 0.81


async def test_a_score_that_cannot_be_read_is_none_at_all(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.EVALUATE, reply="quite good, I think")
    async with opened(play) as house:
        view = await house.play(spec())
    assert (view.tasks[0].status, view.tasks[0].score) == ("DEGRADED", None)
    assert "no judge" in view.tasks[0].reason
    assert view.status is ProjectStatus.COMPLETED_DEGRADED


async def test_a_revision_mends_what_validators_reject(opened: Opened) -> None:
    play = Play(json_task("t1"))
    play.contents["t1.json"] = "{broken\n"
    play.on(Stage.REVISE, reply='```json path=t1.json\n{"mended": 1}\n```')
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.REVISE) == 1
    assert play.count(Stage.REPAIR) == 0


async def test_what_stays_rejected_is_failed_and_repaired_in_vain(opened: Opened) -> None:
    play = Play(json_task("t1"), json_task("t2", "t1"), text_task("t3"))
    play.contents["t1.json"] = "{broken\n"
    async with opened(play) as house:
        view = await house.play(spec())
    statuses = {task.id: task.status for task in view.tasks}
    assert statuses == {"t1": "FAILED", "t2": "SKIPPED", "t3": "COMPLETED"}
    assert "t1" in view.tasks[1].reason
    assert play.count(task="t2") == 0
    assert play.count(Stage.EVALUATE, "t1") == 0  # what is rejected is not judged
    assert play.count(Stage.REPAIR, "t1") == 3
    assert view.status is ProjectStatus.PARTIAL_SUCCESS  # t2 has no answer at all


async def test_a_rejected_task_alone_leaves_a_degraded_project(opened: Opened) -> None:
    play = Play(json_task("t1"), text_task("t2"))
    play.contents["t1.json"] = "{broken\n"
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert "fails its checks" in view.reason


async def test_what_integration_saves_is_judged_after_all(opened: Opened) -> None:
    play = Play(json_task("t1"), text_task("t2"))
    play.contents["t1.json"] = "{broken\n"
    play.on(Stage.REPAIR, reply='```json path=t1.json\n{"mended": 1}\n```')
    async with opened(play) as house:
        run = await house.start(spec())
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert (view.tasks[0].status, view.tasks[0].score) == ("COMPLETED", 0.95)
    assert kinds.count("integrated") == 2
    assert play.count(Stage.REPAIR) == 1


async def test_repairs_that_make_things_worse_are_taken_back_with_their_authors(opened: Opened) -> None:
    play = Play(text_task("j1", files=["j1.json", "k1.json"], validators=["json_schema"]), text_task("t2"))
    play.contents["j1.json"] = "{broken\n"
    play.on(Stage.REPAIR, reply="```json path=j1.json\n{worse\n```\n```json path=k1.json\n{worse\n```")
    async with opened(play) as house:
        view = await house.play(spec())
    assert [asked.vendor for asked in play.requests(Stage.REPAIR)] == ["alpha", "beta", "gamma"]  # alpha wrote it
    assert view.tasks[0].model == "alpha:one"
