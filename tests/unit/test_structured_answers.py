"""Structured answers are read however models wrap them; what is cut off or wrong is never taken for whole."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.answers import Critique, Evaluation, PlanAnswer, Verdict
from orchestrator.prompts.answers import REPAIRED, parse_structured

TASK = {
    "id": "t1",
    "title": "T",
    "type": "code_generation",
    "prompt": 'write {x: [1]} and say "```"',
    "dependencies": [],
    "files": ["a.py"],
    "validators": ["ruff"],
}
PLAN = json.dumps({"tasks": [TASK, {**TASK, "id": "t2", "files": ["b.py"]}]}, indent=2)
COMMENTED = PLAN.replace('"dependencies": [],', '"dependencies": [], // none')


@pytest.mark.parametrize(
    "text",
    [
        PLAN,
        f"\ufeff{PLAN}\r\n",
        f"Here is the plan:\n\n```json\n{PLAN}\n```\nGood luck [with it]!",
        f"Here is the plan: {PLAN} Enjoy.",
        f"<think>\nFirst {{\"tasks\": []}}, then\n</think>\n{PLAN}",
        f"<thinking>hm</thinking>{PLAN}",
        f"hm {{\"tasks\": []}}\n</think>\n{PLAN}",
        f"An example is {{\"id\": 1}} [1].\n~~~\n{PLAN}\n~~~",
        json.dumps(json.loads(PLAN)["tasks"]),
        json.dumps({**json.loads(PLAN), "comment": "extra"}),
    ],
    ids=["bare", "bom", "fence", "prose", "reasoning", "inline", "orphan", "tilde", "list", "extra"],
)  # fmt: skip
def test_a_whole_plan_is_found(text: str) -> None:
    plan, notes = parse_structured(text, PlanAnswer)
    assert [task.id for task in plan.tasks] == ["t1", "t2"]
    assert notes == ()


@pytest.mark.parametrize(
    "text",
    [
        PLAN.replace("\n  ]\n}", ",\n  ],\n}"),
        f"Sure!\n```json\n{COMMENTED}\n```",
    ],
    ids=["trailing commas", "comments"],
)
def test_broken_json_that_is_whole_is_repaired_with_a_note(text: str) -> None:
    plan, notes = parse_structured(text, PlanAnswer)
    assert [task.id for task in plan.tasks] == ["t1", "t2"]
    assert notes == (REPAIRED,)


@given(st.integers(1, len(PLAN) - 1))
def test_a_plan_that_is_cut_off_is_never_taken(length: int) -> None:
    for text in (PLAN[:length], f"```json\n{PLAN[:length]}", f"```json\n{PLAN[:length]}\n```"):
        with pytest.raises(AnswerError):
            parse_structured(text, PlanAnswer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON object found"),
        ("I cannot plan this.", "no JSON object found"),
        ("<think>\nfor ever {", "no JSON object found"),
        ('{"tasks": []}', "tasks: List should have at least 1 item"),
        (PLAN.replace("code_generation", "coding"), r"tasks\.0\.type: Input should be"),
        (PLAN.replace('"id": "t1"', '"id": "a/b"'), r"tasks\.0\.id: String should match"),
        (PLAN[:200], "cut off"),
        ("[1, 2]", r"tasks\.0"),
        ("[" * 100_000, "cut off"),
        ("x" * 400_001, "longer than"),
    ],
)
def test_unusable_plans_say_what_to_mend(text: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        parse_structured(text, PlanAnswer)
    assert len(str(caught.value)) <= 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "score", ["8", "-0.1", '"8/10"', '"high"', "true", "NaN", "Infinity", "null", "[0.5]", "1e400"]
)
def test_a_score_that_is_none_is_not_made_up(score: str) -> None:
    with pytest.raises(AnswerError, match="score"):
        parse_structured(f'{{"score": {score}, "reasoning": "x"}}', Evaluation)


def test_what_a_critic_leaves_out_has_a_default() -> None:
    text = '{"score": 0.9, "verdict": "approve", "issues": [{"file": null, "line": null, "message": "m"}]}'
    critique, _ = parse_structured(text, Critique)
    assert (critique.verdict, critique.issues[0].file, critique.issues[0].line) == (Verdict.APPROVE, "", 0)


def test_what_utf8_cannot_carry_is_replaced() -> None:
    evaluation, _ = parse_structured('{"score": 1, "reasoning": "\\ud800"}', Evaluation)
    assert evaluation.reasoning == "?"


@given(st.text(st.sampled_from('{}[]":, \n`0score.\\'), max_size=300))
def test_no_text_is_a_surprise(text: str) -> None:
    try:
        evaluation, _ = parse_structured(text, Evaluation)
    except AnswerError:
        return
    assert 0 <= evaluation.score <= 1


@pytest.mark.parametrize(
    "text",
    ["[" * 30_000 + "]" * 30_000, "{" * 100_000, '{"a":' * 30_000 + "1" + "}" * 30_000,
     '"' * 200_000, "{" + "'" * 100_000 + "}", "```json\n{\n```\n" * 190, "{,}" * 60_000],
    ids=["lists", "open", "objects", "quotes", "apostrophes", "fences", "commas"],
)  # fmt: skip
def test_large_hostile_texts_take_little_time(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(AnswerError):
        parse_structured(text, PlanAnswer)
    assert time.process_time() - begin < 5
