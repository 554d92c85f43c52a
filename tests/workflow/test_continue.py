"""A run that goes on in new executions is the same run."""

from collections import Counter

from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import Evaluation
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import House, spec
from tests.workflow.play import LOST, REVISE, Play, json_task, text_task


def play() -> Play:
    """Revisions, a second iteration, a lost reply and repairs."""
    made = Play(
        *(text_task(f"t{number}", *((f"t{number - 2}",) if number > 2 else ())) for number in range(1, 7)),
        json_task("j1"),
    )
    made.contents["j1.json"] = "{broken\n"
    made.on(Stage.REPAIR, reply='```json path=j1.json\n{"mended": 1}\n```')
    made.on(Stage.CRITIQUE, "t2", reply=REVISE)
    made.on(Stage.EVALUATE, "t3", reply=Evaluation(score=0.5), times=2)
    made.on(Stage.GENERATE, "t5", reply=LOST, times=1)
    return made


async def outcome(house: House, made: Play, events: int) -> tuple[dict[str, object], int]:
    """What the run came to, and the number of its executions."""
    run = await house.start(spec(continue_after_events=events, concurrency=3))
    view = await run.result()
    asked = Counter((a.stage, a.task, a.vendor, a.request.prompt) for a in made.asked)
    assert len(made.asked) == view.calls
    head = view.model_dump(exclude={"project_id", "workflow_id", "elapsed_s", "manifest", "events", "records"})
    kinds = Counter(event.kind for event in await run.events())
    return {**head, "kinds": kinds, "asked": asked}, len(await run.histories())


async def test_continuing_as_new_changes_nothing(opened: Opened) -> None:
    one, several = play(), play()
    async with opened(one) as house:
        whole, executions = await outcome(house, one, 4000)
        assert executions == 1
    async with opened(several) as house:
        pieces, executions = await outcome(house, several, 60)
        assert executions >= 3
    assert whole["status"] is ProjectStatus.SUCCESS
    assert pieces == whole


async def test_time_goes_on_in_a_new_execution(opened: Opened) -> None:
    made = Play(text_task("t1"), text_task("t2"), text_task("t3", "t1", "t2"))
    gate = made.hold(Stage.EVALUATE, "t3")
    async with opened(made) as house:
        run = await house.start(spec(continue_after_events=60, time_limit_s=5.0))
        await gate.arrived.wait()
        view = await run.result()
        executions = len(await run.histories())
    assert view.status is ProjectStatus.TIMEOUT
    assert 5.0 <= view.elapsed_s < 7.0
    assert executions >= 2
