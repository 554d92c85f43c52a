"""Transforms: built-ins, functions of packages and of Python, and outputs by a schema."""

import time
from typing import Any

import pytest

from orchestrator.domain.pipeline import ForEachStep, LlmStep, TransformStep
from orchestrator.pipelines import transforms
from orchestrator.pipelines.answers import output_of
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.registered import function_names
from orchestrator.pipelines.transforms import json_in, transformed
from orchestrator.pipelines.values import MAX_ITEMS, asked_again, assembled, decode, elements, encode

VALUES: dict[str, Any] = {
    "raw": 'Here it is:\n```json\n{"items": [{"name": "Ann"}], "n": 2}\n```\nThat is all.',
    "object": {"items": [{"name": "Ann"}, {"name": "Bob"}]},
    "words": "one, two,, three",
    "other": {"items": "replaced", "more": True},
    "list": ["a", 1, None],
}


def built_in(name: str, **options: Any) -> Any:
    step = TransformStep.model_validate({"name": "t", "builtin": name, "options": options})
    return transformed(step, VALUES)


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("json_parse", {"input": "raw"}, {"items": [{"name": "Ann"}], "n": 2}),
        ("select", {"input": "object", "path": "items[1].name"}, "Bob"),
        ("select", {"input": "object", "path": "['items'][0]"}, {"name": "Ann"}),
        ("select", {"input": "object", "path": "nothing.here", "default": None}, None),
        ("join", {"input": "list"}, "a\n1\n"),
        ("join", {"inputs": ["words", "list"], "separator": " | "}, 'one, two,, three | [\n  "a",\n  1,\n  null\n]'),
        ("split", {"input": "words", "separator": ","}, ["one", "two", "three"]),
        ("split", {"input": "words", "separator": ",", "keep_empty": True}, ["one", "two", "", "three"]),
        ("merge", {"inputs": ["object", "other"]}, {"items": "replaced", "more": True}),
        ("merge", {"inputs": ["list", "list"]}, ["a", 1, None, "a", 1, None]),
        ("regex", {"input": "words", "pattern": r"(\w+), (?P<second>\w+)", "group": "second"}, "two"),
        ("regex", {"input": "words", "pattern": r"(\w+), (\w+)", "group": 1}, "one"),
        ("regex", {"input": "words", "pattern": "t[a-z]+", "all": True}, ["two", "three"]),
        (
            "regex",
            {"input": "words", "pattern": "(T)w", "ignore_case": True, "replace": r"\1-"},
            "one, t-o,, three",
        ),
        ("regex", {"input": "words", "pattern": "nothing"}, None),
    ],
)
def test_built_ins(name: str, options: dict[str, Any], value: object) -> None:
    assert built_in(name, **options) == value


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("json_parse", {"input": "words"}, "no JSON"),
        ("json_parse", {"input": "missing"}, "missing variable 'missing'"),
        ("select", {"input": "object", "path": "items[7]"}, "a list has no entry '7'"),
        ("select", {"input": "object", "path": "items.__class__"}, "a list has no entry '__class__'"),
        ("join", {"input": "words"}, "a list is expected, not a text"),
        ("merge", {"inputs": ["object", "words"]}, "an object is expected, not a text"),
        ("regex", {"input": "words", "pattern": "a", "group": 4}, "no such group"),
        ("regex", {"pattern": "a"}, "options"),
    ],
)
def test_built_ins_that_cannot(name: str, options: dict[str, Any], words: str) -> None:
    values = {**VALUES, "words": "a"} if name == "regex" else VALUES
    step = TransformStep.model_validate({"name": "t", "builtin": name, "options": options})
    with pytest.raises(StepError, match=words.replace("[", r"\[")):
        transformed(step, values)


def test_a_pattern_that_would_take_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "REGEX_LIMIT_S", 0.5)
    step = TransformStep.model_validate(
        {"name": "t", "builtin": "regex", "options": {"input": "x", "pattern": "(a+)+$"}}
    )
    began_s = time.monotonic()
    with pytest.raises(StepError, match=r"no end within 0\.5 s"):
        transformed(step, {"x": "a" * 40 + "b"})
    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize("repeated", [10, 500])
def test_a_match_does_not_fill_the_memory(repeated: int) -> None:
    options = {"input": "x", "pattern": "(a)", "replace": r"\1" * repeated}
    step = TransformStep.model_validate({"name": "t", "builtin": "regex", "options": options, "timeout_seconds": None})
    with pytest.raises(StepError, match=r"too large|MemoryError|no end within"):
        transformed(step, {"x": "a" * 1_900_000})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1, 2]", [1, 2]),
        ("7", 7),
        ('Sure! {"a": {"b": 1}} Anything else?', {"a": {"b": 1}}),
        ('```\n[{"a": 1}]\n```', [{"a": 1}]),
        ('<think>{"no": 1}</think>{"a": null}', {"a": None}),
    ],
)
def test_json_is_found_in_what_a_model_says(text: str, value: object) -> None:
    assert json_in(text) == value


def test_python_functions_see_all_variables_and_may_fail() -> None:
    def count(context: dict[str, Any]) -> int:
        return len(context["list"])

    step = TransformStep(name="t", function="count")
    assert transformed(step, VALUES, {"count": count}) == 3
    with pytest.raises(StepError, match="KeyError: 'list'"):
        transformed(step, {}, {"count": count})


def test_functions_come_from_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    step = TransformStep(name="t", function="shout")
    with pytest.raises(StepError, match=r"no function 'shout' is registered under orchestrator\.transforms"):
        transformed(step, VALUES)

    class Shout:
        name = "shout"

        def load(self) -> Any:
            return lambda context: context["words"].upper()

    def entry_points(group: str, name: str = "shout") -> list[Shout]:
        return [Shout()] if (group, name) == ("orchestrator.transforms", "shout") else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert function_names() == ("shout",)
    assert transformed(step, VALUES) == "ONE, TWO,, THREE"


def test_values_are_json_and_no_more() -> None:
    value: dict[str, Any] = {"text": "äöü\ud800", "n": [1, 2.5, None, True]}
    assert decode(encode(value)) == {**value, "text": "äöü?"}
    for wrong in ({1, 2}, object(), float("nan"), {"a": b"bytes"}):
        with pytest.raises(StepError, match="no JSON value"):
            encode(wrong)  # type: ignore[arg-type]
    with pytest.raises(StepError, match="larger than"):
        encode("x" * 11_000_000)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"mark": {"type": "integer", "minimum": 1}, "why": {"type": ["string", "null"]}},
    "required": ["mark"],
}


def test_an_output_follows_its_schema() -> None:
    step = LlmStep(name="a", model="m", prompt="p", response_schema=SCHEMA)
    assert output_of(step, 'Here:\n```json\n{"mark": 3, "why": null}\n```') == ({"mark": 3, "why": None}, ())
    assert output_of(step, "{'mark': 3, why: 'because',}") == ({"mark": 3, "why": "because"}, ("JSON repaired",))
    with pytest.raises(StepError, match="cut off"):
        output_of(step, '{"mark": 3, "why": "bec')
    with pytest.raises(StepError, match="mark: 0 is less than the minimum of 1"):
        output_of(step, '{"mark": 0}')
    with pytest.raises(StepError, match="'mark' is a required property"):
        output_of(step, "{}")
    with pytest.raises(StepError, match="no JSON"):
        output_of(step, "I would rather not.")
    assert output_of(LlmStep(name="a"), '{"mark": 0}') == ('{"mark": 0}', ())
    assert "could not be used: no JSON" in asked_again("p", "no JSON")
    assert asked_again("p", "") == "p"


def test_elements_are_a_list_of_limited_length() -> None:
    assert elements(ForEachStep(name="e", items=[1, "a"]), {}) == [1, "a"]
    assert elements(ForEachStep(name="e", items="split(words, ',')"), VALUES)[0] == "one"
    with pytest.raises(StepError, match="a list is expected, not a text"):
        elements(ForEachStep(name="e", items="words"), VALUES)
    with pytest.raises(StepError, match=f"at most {MAX_ITEMS}"):
        elements(ForEachStep(name="e", items=f"range({MAX_ITEMS + 1})"), VALUES)


def test_outputs_of_steps_are_assembled() -> None:
    assert assembled({"0": "a", "1": None}, as_list=True) == ["a", None]
    assert assembled({"x": "a", "y": {"z": 1}}, as_list=False) == {"x": "a", "y": {"z": 1}}
