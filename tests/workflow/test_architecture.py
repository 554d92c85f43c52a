"""The architecture of a run: advised, wished, decided; and runs that nobody advises."""

from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import ArchitectureAnswer, PlanAnswer
from orchestrator.domain.apps import AppType, ArchitectureWishes
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import DOWN, Play, text_task

API = ArchitectureAnswer(
    app_type="FastAPI", structural_pattern="layered", stack=["fastapi"], run_command="uvicorn app:app", rationale="Why."
)
EVERYTHING = ArchitectureWishes(
    app_type=AppType.CLI,
    structural_pattern="layered",
    topology="monolith",
    data_paradigm="none",
    api_paradigm="cli",
    stack=(),
    entry_point="a.py",
    run_command="python a.py",
    build_command="",
    test_command="pytest",
)


# A scaffold brings checks that run code, which these tests do without.
BUILT = (ProjectStatus.SUCCESS, ProjectStatus.COMPLETED_DEGRADED)


async def test_the_plan_is_told_what_was_advised(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply=API)
    async with opened(play) as house:
        run = await house.start(spec(advise=True))
        view = await run.result()
        events = [event.text for event in await run.events() if event.kind == "advised"]
    assert view.status in BUILT, view.reason
    assert view.architecture is not None
    assert (view.architecture.app_type, view.architecture.rationale) == (AppType.FASTAPI, "Why.")
    (planned,) = play.requests(Stage.PLAN)
    assert "app type: fastapi" in planned.request.prompt
    assert "run: uvicorn app:app" in planned.request.prompt
    assert len(events) == 1
    assert events[0].startswith("fastapi, layered, ")
    assert "uvicorn app:app" in events[0]
    assert set(view.spent_by_stage) == {"advise", "plan"}


async def test_wishes_win_over_the_advice_and_the_adviser_knows_them(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply=API)
    wishes = ArchitectureWishes(app_type=AppType.FASTAPI, structural_pattern="hexagonal", stack=("starlette",))
    async with opened(play) as house:
        view = await house.play(spec(advise=True, wishes=wishes))
    assert view.architecture is not None
    assert view.architecture.structural_pattern == "hexagonal"
    assert view.architecture.stack == ("starlette",)
    assert view.architecture.run_command == "uvicorn app:app"
    (advised,) = play.requests(Stage.ADVISE)
    assert "pattern: hexagonal" in advised.request.prompt


async def test_who_has_decided_everything_asks_nobody(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await house.play(spec(advise=True, wishes=EVERYTHING))
    assert view.status in BUILT
    assert play.count(Stage.ADVISE) == 0
    assert view.architecture is not None
    assert view.architecture.entry_point == "a.py"


async def test_a_type_that_does_not_exist_is_generic_and_a_note_says_so(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply=ArchitectureAnswer(app_type="mainframe"))
    async with opened(play) as house:
        view = await house.play(spec(advise=True))
    assert view.architecture is not None
    assert view.architecture.app_type is AppType.GENERIC
    assert any("'mainframe' is unknown" in note for note in view.notes)


async def test_a_run_goes_on_without_advice(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply="I would rather not say.")
    async with opened(play) as house:
        view = await house.play(spec(advise=True, wishes=ArchitectureWishes(app_type=AppType.CLI)))
    assert view.status in BUILT
    assert play.count(Stage.ADVISE) == 2
    assert view.architecture is not None
    assert view.architecture.app_type is AppType.CLI
    assert any("nobody advised an architecture" in note for note in view.notes)


async def test_a_total_outage_ends_at_the_plan(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply=DOWN)
    play.on(Stage.PLAN, reply=PlanAnswer(tasks=[text_task("t1")]))
    async with opened(play) as house:
        view = await house.play(spec(advise=True))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert view.reason.startswith("no plan: no vendor is available")
    assert play.count() == 3


async def test_the_architecture_outlives_executions_and_resumes(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    play.on(Stage.ADVISE, reply=API)
    gate = play.hold(Stage.PLAN, times=1)
    project = spec(advise=True, continue_after_events=30)
    async with opened(play) as house:
        run = await house.start(project)
        await gate.arrived.wait()
        await run.handle.cancel()
        assert (await run.result()).status is ProjectStatus.CANCELLED
        again = await house.resume(run, project)
        view = await again.result()
        assert len(await again.histories()) > 1
    assert view.status in BUILT, view.reason
    assert view.architecture is not None
    assert view.architecture.app_type is AppType.FASTAPI
    assert play.count(Stage.ADVISE) == 1
    assert all("app type: fastapi" in asked.request.prompt for asked in play.requests(Stage.PLAN))


async def test_advice_alone_can_be_built_later(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply=API)
    project = spec(advise=True, advise_only=True)
    async with opened(play) as house:
        run = await house.start(project)
        advised = await run.result()
        assert play.count() == 1
        built = await (await house.resume(run, project)).result()
    assert advised.status is ProjectStatus.CANCELLED
    assert advised.architecture is not None
    assert "resume" in advised.reason
    assert built.status in BUILT
    assert play.count(Stage.ADVISE) == 1


async def test_no_advice_where_nothing_else_was_wanted_is_a_failure(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.ADVISE, reply="no")
    async with opened(play) as house:
        view = await house.play(spec(advise=True, advise_only=True))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert view.reason.startswith("no advice: ")
    assert play.count(Stage.PLAN) == 0


async def test_without_the_option_nothing_is_decided(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.architecture is None
    assert play.count(Stage.ADVISE) == 0
