"""The language of expressions and conditions."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.pipelines.conditions import parse_condition
from orchestrator.pipelines.errors import ExpressionError, StepError
from orchestrator.pipelines.evaluation import holds, value_of
from orchestrator.pipelines.expression_tree import variables
from orchestrator.pipelines.expressions import parse_expression
from orchestrator.pipelines.functions import FUNCTIONS

VALUES: dict[str, Any] = {
    "text": "Hello, world",
    "number": 3,
    "score": "0.8",
    "flag": True,
    "nothing": None,
    "empty": "",
    "url": "http://x",
    "list": [3, 1, 2],
    "people": [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 20}],
    "object": {"a": {"b": [10, 20]}, "key with spaces": 1},
}


def complaint(evaluate: Callable[[], object]) -> str:
    """The error of an evaluation, empty where there is none; any other exception is a defect."""
    try:
        evaluate()
    except StepError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3.5),
        ("-number + 10 % 4", -1),
        ("text + '!'", "Hello, world!"),
        ("list + [4]", [3, 1, 2, 4]),
        ("object.a.b[1]", 20),
        ("object['key with spaces']", 1),
        ("list[-1]", 2),
        ("people[0].name", "Ann"),
        ("{name: text, 'other name': [1, true, null]}", {"name": "Hello, world", "other name": [1, True, None]}),
        ("'yes' if number > 2 else 'no'", "yes"),
        ("not flag or number == 3", True),
        ("'it\\'s \\u00e9'", "it's é"),
        ("upper(text)", "HELLO, WORLD"),
        ("split('a, b,c', ',')", ["a", " b", "c"]),
        ("join(list, '-')", "3-1-2"),
        ("sort(list)", [1, 2, 3]),
        ("pluck(people, 'name')", ["Ann", "Bob"]),
        ("where(people, 'age', 20)", [{"name": "Bob", "age": 20}]),
        ("coalesce(unknown, nothing, text)", "Hello, world"),
        ("coalesce(object.z.y, 1)", 1),
        ("json('[1, {\"a\": null}]')", [1, {"a": None}]),
        ("merge({a: 1}, {a: 2, b: 3})", {"a": 2, "b": 3}),
        ("len(text) + len(list)", 15),
        ("number(score) * 10", 8),
        ("sum(list) / len(list)", 2),
        ("unique([1, 1, 'a', 1, 'a'])", [1, "a"]),
        ("flatten([[1], 2, [3, 4]])", [1, 2, 3, 4]),
        ("slice(text, 0, 5)", "Hello"),
        ("replace(text, 'world', 'you')", "Hello, you"),
        ("range(3)", [0, 1, 2]),
        ("text(object.a)", '{\n  "b": [\n    10,\n    20\n  ]\n}'),
        ("2 in list and 9 not in list", True),
        ("round(2.345, 1)", 2.3),
        ("min(list)", 1),
        ("first([]) == null", True),
    ],
)
def test_values(expression: str, value: object) -> None:
    assert value_of(expression, VALUES) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("unknown", "missing variable 'unknown'"),
        ("object.z", "an object has no entry 'z'"),
        ("text.__class__", "a text has no entry '__class__'"),
        ("list.append", "a list has no entry 'append'"),
        ("1 / 0", "division by zero"),
        ("'a' * 3", "a number is expected, not a text 'a'"),
        ("__import__('os')", "unknown function '__import__'"),
        ("sort([1, 'a'])", "sort takes"),
        ("1 +", "something is missing at the end (column 4)"),
        ("1 < 2 < 3", "'and' between two comparisons is expected"),
        ("upper()", "upper takes 1 values, not 0"),
        ("a b", "'b' is not expected here (column 3)"),
        ("lambda: 1", "is not expected here"),
        ("a = 1", "'=' is not expected here"),
        ("'" + "x" * 30_000 + "'", "is longer than"),
        ("(" * 60 + "1" + ")" * 60, "nested more than 40 levels"),
        ("range(1000000000)", "a list of more than"),
        ("json('NaN')", "not JSON"),
        ("number('nan')", "a number is expected"),
    ],
)
def test_what_cannot_be_is_one_line(expression: str, words: str) -> None:
    with pytest.raises(StepError) as raised:
        value_of(expression, VALUES)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_texts_do_not_grow_beyond_a_limit() -> None:
    large = {"large": "x" * 1_500_000}
    for expression in ("large + large", "join([large, large])", "replace(large, 'x', 'yy')", "to_json([large, large])"):
        with pytest.raises(StepError, match="more than"):
            value_of(expression, large)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", True),
        ("  ", True),
        ("key_exists:text", True),
        ("key_exists:unknown", False),
        ("key_exists:nothing", False),
        ("not_empty:text", True),
        ("not_empty:empty", False),
        ("not_empty:unknown", False),
        ("equals:text:Hello, world", True),
        ("equals:text:hello, world", False),
        ("EQUALS: text : Hello, world ", True),
        ("equals:url:http://x", True),
        ("equals:number:3", True),
        ("equals:flag:True", True),
        ("equals:flag:true", True),
        ("equals:unknown:", True),
        ("contains:text:world", True),
        ("contains:list:2", True),
        ("contains:url:://", True),
        ("contains:text:nobody", False),
        ("not equals:text:x", True),
        ("not key_exists:text", False),
        ("text", True),
        ("empty", False),
        ("unknown", False),
        ("score > 0.5", True),
        ("score > '0.9'", False),
        ("number == '3' and not empty", True),
        ("unknown > 3 or flag", True),
        ("unknown.entry.of.it == null", True),
        ("text == 'Hello, world'", True),
        ("contains(text, 'Hello') and len(list) == 3", True),
        ("people[0].age >= 30", True),
    ],
)
def test_conditions(condition: str, expected: bool) -> None:
    assert holds(condition, VALUES) is expected


@pytest.mark.parametrize(
    ("condition", "words", "column"),
    [
        ("equals:text", "equals needs a value", 8),
        ("key_exists:a:b", "key_exists takes a name alone", 12),
        ("contains:a b:c", "contains needs the name of a variable", 10),
        ("starts:text:x", "':' is not expected here", 7),
        ("text ==", "something is missing", 8),
        ("import os", "'os' is not expected here", 8),
    ],
)
def test_bad_conditions_tell_their_place(condition: str, words: str, column: int) -> None:
    with pytest.raises(ExpressionError, match=words) as raised:
        parse_condition(condition)
    assert raised.value.column == column


def test_which_variables_are_read_and_which_may_be_missing() -> None:
    tree = parse_expression("a + b.c[d] if coalesce(e, f.g) else upper({x: h, y: [not i]})")
    assert dict(variables(tree)) == {
        **dict.fromkeys(("a", "b", "d", "h", "i"), False),
        **dict.fromkeys(("e", "f"), True),
    }


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert "\n" not in complaint(lambda: value_of(text, VALUES))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_LEAVES = ["a", "b", "1", "'x'", "null", "true", "[a, b]", "{k: a}"]
_TREES = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: (
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, max_size=3)).map(
            lambda call: f"{call[0]}({', '.join(call[1])})"
        )
        | st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%", "<", "==", "in", "and", "or"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        )
        | inner.map(lambda of: f"(not {of})")
        | st.tuples(inner, inner).map(lambda parts: f"({parts[0]})[{parts[1]}]")
    ),
    max_leaves=6,
)


@given(_TREES, _JSON, _JSON)
def test_any_values_give_a_value_or_one_line(expression: str, a: Any, b: Any) -> None:
    assert "\n" not in complaint(lambda: value_of(expression, {"a": a, "b": b}))
    assert "\n" not in complaint(lambda: holds(expression, {"a": a}))
