"""Plans as models really write them: usable ones are used, the others are asked again, and nothing hangs."""

import json
from collections.abc import Callable

import pytest

from orchestrator.testing.project_script import ProjectScript, wide
from orchestrator.testing.vendor_script import Reply, VendorRequest
from tests.e2e.theatre import Theatre

PROJECT = ProjectScript(tasks=wide(2))
PLAN = PROJECT.plan().model_dump_json()
CYCLE = PLAN.replace('"dependencies":[]', '"dependencies":["t02"]', 1).replace(
    '"dependencies":[]', '"dependencies":["t01"]', 1
)

USABLE = {
    "prose with a fence": f"Here is the plan, with {{braces}} in prose.\n\n```json\n{PLAN}\n```\nGood luck!",
    "reasoning block": f'<think>First {{"tasks": []}}, no, better:</think>\n{PLAN}',
    "trailing commas": PLAN.replace("]}", ",]}").replace('"validators":[,]', '"validators":[]'),
}
UNUSABLE = {
    "cut off": PLAN[: len(PLAN) * 2 // 3],
    "cyclic": CYCLE,
    "unknown dependency": PLAN.replace('"dependencies":[]', '"dependencies":["t99"]', 1),
    "no JSON": "I am sorry, I had no time for a plan.",
}


def playing(*plans: str) -> Callable[[VendorRequest], Reply]:
    """The project whose planning requests get these texts in turn, then the good plan."""
    left = list(plans)

    def script(request: VendorRequest) -> Reply:
        if request.stage == "plan" and left:
            return Reply(text=left.pop(0))
        return PROJECT.reply(request)

    return script


@pytest.mark.parametrize("text", USABLE.values(), ids=USABLE.keys())
def test_usable_plan_is_used(theatre: Theatre, text: str) -> None:
    theatre.play(playing(text))
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    assert len(theatre.stage("plan")) == 1
    assert [task["id"] for task in outcome.object["tasks"]] == ["t01", "t02"]


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_plan_is_asked_again_with_its_error(theatre: Theatre, text: str) -> None:
    theatre.play(playing(text))
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    first, second = theatre.stage("plan")
    assert first.request.model == second.request.model
    assert len(second.request.prompt) > len(first.request.prompt)


def test_second_unusable_plan_goes_to_another_model(theatre: Theatre) -> None:
    theatre.play(playing(UNUSABLE["cyclic"], UNUSABLE["cut off"]))
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    first, second, third = (record.request.model for record in theatre.stage("plan"))
    assert first == second != third


def test_third_unusable_plan_ends_the_run(theatre: Theatre) -> None:
    theatre.play(playing(*[UNUSABLE["cyclic"]] * 9))
    outcome = theatre.run()
    assert outcome.code == 7, outcome.err
    assert len(theatre.stage("plan")) == 3
    assert "cycle" in outcome.object["reason"]
    assert "Traceback" not in outcome.err


def test_empty_plan_goes_to_the_next_model(theatre: Theatre) -> None:
    theatre.play(playing(""))
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    first, second = (record.request.model for record in theatre.stage("plan"))
    assert first != second


def test_nobody_has_a_plan(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(text=""))
    outcome = theatre.run()
    assert outcome.code == 7, outcome.err
    assert outcome.object["reason"].startswith("no plan")
    models = [record.request.model for record in theatre.requests]
    assert len(models) == len(set(models))


def test_plans_of_this_module_are_what_their_names_say() -> None:
    json.loads(UNUSABLE["cyclic"])
    with pytest.raises(ValueError):  # noqa: PT011 - any refusal of the parser will do
        json.loads(USABLE["trailing commas"])
