"""Which models a piece of work is offered to, in which order."""

from orchestrator.domain.quality import JUDGES
from orchestrator.domain.routing import ModelOverride, ProjectModels, Work, ranking, repair_of, work_of
from orchestrator.domain.steps import Step, TaskState, drafted, start
from orchestrator.domain.tasks import Stage, TaskSpec, TaskType
from tests.properties.values import numbered_draft
from tests.unit.core_values import BLOB, model

CODE = TaskType.CODE_GENERATION
MODELS = (model("a:one"), model("a:two"), model("b:one"), model("c:one"))
IDS = ("a:one", "a:two", "b:one", "c:one")
GIVEN = ProjectModels(models=MODELS, routing=dict.fromkeys(TaskType, IDS))
TASK = TaskSpec(id="t1", title="T", type=CODE, prompt=BLOB)


def order(stage: Stage, given: ProjectModels = GIVEN, **more: object) -> tuple[str, ...]:
    work = Work.model_validate({"task": "t1", "type": CODE, "stage": stage, **more})
    return tuple(found.id for found in ranking(work, given))


def wanting(*ids: str, **where: object) -> ProjectModels:
    override = ModelOverride.model_validate({"models": ids, **where})
    return GIVEN.model_copy(update={"overrides": (override,)})


def test_the_table_comes_first_then_quality() -> None:
    best = model("d:best", quality=0.9)
    given = GIVEN.model_copy(update={"models": (best, *MODELS), "routing": {CODE: ("c:one",)}})
    assert order(Stage.GENERATE, given)[:2] == ("c:one", "d:best")


def test_who_wrote_first_goes_on_until_the_task_escalates() -> None:
    assert order(Stage.GENERATE, author="b:one") == ("b:one", "c:one", "a:one", "a:two")
    assert order(Stage.GENERATE, author="b:one", escalations=2)[0] == "a:one"
    assert order(Stage.REVISE, author="b:one", escalations=2)[0] == "b:one"
    assert order(Stage.REPAIR, author="b:one", escalations=1)[0] == "c:one"
    assert order(Stage.GENERATE, author="gone:model") == IDS


def test_nobody_judges_their_own_work_while_others_are_there() -> None:
    assert order(Stage.CRITIQUE, author="a:one") == ("b:one", "c:one", "a:two", "a:one")
    assert order(Stage.EVALUATE, author="a:one", role=JUDGES[0])[0] == "b:one"
    assert order(Stage.EVALUATE, author="a:one", role=JUDGES[1])[0] == "c:one"
    assert order(Stage.EVALUATE, GIVEN.model_copy(update={"models": ()}), role=JUDGES[1]) == ()


def test_wishes_win_and_turn_with_the_escalation() -> None:
    given = wanting("c:one", "b:one", task="t1")
    assert order(Stage.GENERATE, given, author="a:one")[:2] == ("c:one", "b:one")
    assert order(Stage.REVISE, given, author="a:one", escalations=1)[:2] == ("b:one", "c:one")
    assert order(Stage.CRITIQUE, given, author="c:one")[0] == "a:one", "a wish about a task is about who writes"
    assert order(Stage.CRITIQUE, wanting("c:one", stage=Stage.CRITIQUE), author="c:one")[0] == "c:one"


def test_work_is_about_whose_version_it_is() -> None:
    state = drafted(start(TaskState()), numbered_draft(1, "a.py"), "a:one").model_copy(update={"escalations": 1})
    revised = state.model_copy(
        update={"current": state.current and state.current.model_copy(update={"author": "b:one"})}
    )
    assert work_of(TASK, revised, Step(stage=Stage.GENERATE)).author == "a:one"
    judged = work_of(TASK, revised, Step(stage=Stage.EVALUATE, role=JUDGES[1]))
    assert (judged.author, judged.role, judged.escalations) == ("b:one", JUDGES[1], 1)
    best = revised.model_copy(update={"best": revised.current})
    assert repair_of(TASK, best, 3) == Work(task="t1", type=CODE, stage=Stage.REPAIR, author="b:one", escalations=2)
