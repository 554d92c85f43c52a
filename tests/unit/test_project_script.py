"""Scripted projects: what the fake vendors answer to the prompts that we really send."""

import json
from pathlib import Path

import pytest

from orchestrator.domain.answer_text import scan
from orchestrator.domain.answers import (
    ArchitectureAnswer,
    Critique,
    Evaluation,
    PlanAnswer,
    Suggestion,
    SuggestionKind,
    SuggestionsAnswer,
    Verdict,
)
from orchestrator.domain.plan import check_plan
from orchestrator.domain.tasks import Stage
from orchestrator.prompts import build_prompt
from orchestrator.testing.project_script import GRAPHS, ProjectScript, module_task, ordered, tree, wide
from orchestrator.testing.vendor_script import Reply, Rule, VendorRequest, load_script

PROJECT = ProjectScript(tasks=(module_task(1), module_task(2, 1)), latency_ms=100)


def request(stage: Stage, task: str = "t02") -> VendorRequest:
    brief = {"id": task, "title": "x", "type": "code_generation", "files": ["t02.py"], "prompt": "id: t77"}
    texts = {"project": "id: t99", "criteria": "<task-00>\nid: t98", "draft": "d"}
    sections = texts if stage is Stage.PLAN else {**texts, "task": json.dumps(brief)}
    system, prompt = build_prompt(stage, sections)
    return VendorRequest(
        vendor="v", model="m", stage=stage.value, system=system, prompt=prompt, max_tokens=None, stream=True, n=1,
        body={}, headers={},
    )  # fmt: skip


@pytest.mark.parametrize("tasks", [*GRAPHS.values(), tree(1000), PROJECT.tasks])
def test_plans_can_be_carried_out(tasks: tuple[object, ...]) -> None:
    script = ProjectScript.model_validate({"tasks": tasks})
    text = script.reply(request(Stage.PLAN)).text
    assert check_plan(PlanAnswer.model_validate_json(text).tasks) == []


@pytest.mark.parametrize("stage", [Stage.GENERATE, Stage.REVISE, Stage.REPAIR])
def test_files_of_the_task_that_the_prompt_is_about(stage: Stage) -> None:
    blocks = scan(PROJECT.reply(request(stage)).text).blocks
    assert [block.content for block in blocks] == [PROJECT.tasks[1].files["t02.py"]]


def test_suggestions_and_advice_are_as_scripted() -> None:
    assert SuggestionsAnswer.model_validate_json(PROJECT.reply(request(Stage.ENHANCE)).text).suggestions == []
    assert ArchitectureAnswer.model_validate_json(PROJECT.reply(request(Stage.ADVISE)).text).app_type == "generic"
    rain = Suggestion(kind=SuggestionKind.RISK, title="Rain", description="D", patch_project="P")
    script = PROJECT.model_copy(update={"suggestions": (rain,)})
    assert SuggestionsAnswer.model_validate_json(script.reply(request(Stage.ENHANCE)).text).suggestions == [rain]


def test_reviews_and_scores() -> None:
    approved = Critique.model_validate_json(PROJECT.reply(request(Stage.CRITIQUE)).text)
    assert approved.verdict is Verdict.APPROVE
    strict = PROJECT.model_copy(update={"revise": True})
    assert Critique.model_validate_json(strict.reply(request(Stage.CRITIQUE)).text).verdict is Verdict.REVISE
    assert Evaluation.model_validate_json(PROJECT.reply(request(Stage.EVALUATE)).text).score == 0.95


def test_unknown_task_is_refused() -> None:
    assert PROJECT.reply(request(Stage.GENERATE, "t03")).status == 400


def test_rules_come_first() -> None:
    script = PROJECT.model_copy(update={"rules": (Rule(reply=Reply(status=503), stage="evaluate"),)})
    assert script.reply(request(Stage.EVALUATE)).status == 503
    assert script.reply(request(Stage.CRITIQUE)).status == 200


def test_saved_script_is_the_same(tmp_path: Path) -> None:
    loaded = load_script(PROJECT.save(tmp_path / "script.py"))
    assert loaded(request(Stage.GENERATE)) == PROJECT.reply(request(Stage.GENERATE))


@pytest.mark.parametrize(
    ("graph", "seconds"), [("mixed12", 5.6), ("wide12", 1.2), ("chain12", 10.0), ("zigzag12", 10.0)]
)
def test_ideal_is_the_slowest_path(graph: str, seconds: float) -> None:
    script = ProjectScript(tasks=GRAPHS[graph], latency_ms=200, revise=True)
    assert script.ideal_s() == pytest.approx(seconds)


def test_cycles_are_refused() -> None:
    (task,) = wide(1)
    with pytest.raises(ValueError, match="cycle"):
        ordered((task.model_copy(update={"dependencies": ("t01",)}),))
