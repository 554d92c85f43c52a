"""Success criteria one by one: by tools where they can tell, else by a judge; what does not hold is repaired."""

from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import CriteriaAnswer, CriterionAnswer
from orchestrator.domain.criteria import JUDGED
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import DOWN, Play, text_task

CRITERIA = "all tests pass\n- users can log in; a wrong password is refused"


def _said(met: bool, *, file: str = "") -> CriteriaAnswer:
    first = CriterionAnswer(number=1, met=True, evidence="there are none that fail")
    login = CriterionAnswer(number=2, met=True, evidence="core.txt says so")
    refused = CriterionAnswer(number=3, met=met, evidence="core.txt accepts all", file=file)
    return CriteriaAnswer(results=[first, login, refused])


async def test_each_criterion_has_its_verdict_and_evidence(opened: Opened) -> None:
    play = Play(text_task("core"))
    play.on(Stage.JUDGE, reply=_said(True))
    async with opened(play) as house:
        view = await house.play(spec(criteria=CRITERIA, judge_criteria=True))
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert [(one.text, one.check, one.met) for one in view.criteria] == [
        ("all tests pass", JUDGED, True),  # there is nothing that a tool could run
        ("users can log in", JUDGED, True),
        ("a wrong password is refused", JUDGED, True),
    ]
    assert view.criteria[1].evidence.endswith(": core.txt says so")
    (asked,) = play.requests(Stage.JUDGE)
    assert "2. users can log in" in asked.request.prompt
    assert "core.txt" in asked.request.sections["context"]
    assert view.spent_by_stage["judge"] > 0


async def test_what_does_not_hold_is_repaired_by_its_owner(opened: Opened) -> None:
    play = Play(text_task("core"), text_task("other"))
    play.on(Stage.JUDGE, reply=_said(False, file="core.txt"), times=1)
    play.on(Stage.JUDGE, reply=_said(True))
    async with opened(play) as house:
        view = await house.play(spec(criteria=CRITERIA, judge_criteria=True))
    assert view.status is ProjectStatus.SUCCESS, view.reason
    (repair,) = play.requests(Stage.REPAIR)
    assert repair.task == "core"
    assert "a wrong password is refused" in repair.request.sections["findings"]


async def test_a_criterion_that_never_holds_is_named_and_never_a_success(opened: Opened) -> None:
    play = Play(text_task("core"))
    play.on(Stage.JUDGE, reply=_said(False, file="core.txt"))
    async with opened(play) as house:
        view = await house.play(spec(criteria=CRITERIA, judge_criteria=True))
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert "a wrong password is refused" in view.reason
    assert [one.met for one in view.criteria] == [True, True, False]


async def test_criteria_that_nobody_judges_are_no_success(opened: Opened) -> None:
    play = Play(text_task("core"))
    play.on(Stage.JUDGE, reply=DOWN)
    async with opened(play) as house:
        view = await house.play(spec(criteria=CRITERIA, judge_criteria=True))
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert "nobody could tell whether this holds: all tests pass" in view.reason
    assert [one.met for one in view.criteria] == [None, None, None]


async def test_an_answer_that_leaves_one_out_decides_the_others(opened: Opened) -> None:
    play = Play(text_task("core"))
    play.on(Stage.JUDGE, reply=CriteriaAnswer(results=_said(True).results[:2]))
    async with opened(play) as house:
        view = await house.play(spec(criteria=CRITERIA, judge_criteria=True))
    assert view.status is ProjectStatus.COMPLETED_DEGRADED
    assert [one.met for one in view.criteria] == [True, True, None]
