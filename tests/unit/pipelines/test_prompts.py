"""Prompts: `{name}`, Jinja in its sandbox, and nothing of Python within reach."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.pipelines import jinja_text
from orchestrator.pipelines.errors import ExpressionError, StepError
from orchestrator.pipelines.format_text import filled, names_in, reaching
from orchestrator.pipelines.jinja_text import check_template, rendered

VALUES: dict[str, Any] = {
    "topic": "AI",
    "list": ["a", "b"],
    "object": {"name": "Ann", "tags": ["x"], "items": 1},
    "number": 2.0,
    "nothing": None,
    "hostile": "{topic} {{ topic }} {% for x in y %}",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("About {topic}.", "About AI."),
        ("{topic}{topic}", "AIAI"),
        ("{{topic}} is {topic}", "{topic} is AI"),
        ('Answer as {{"topic": "{topic}"}}', 'Answer as {"topic": "AI"}'),
        ('Answer as {"topic": {"of": "{topic}"}}', 'Answer as {"topic": {"of": "AI"}}'),
        ('{"a": {"b": {"c": 1}}} {topic}', '{"a": {"b": {"c": 1}}} AI'),
        ("{} {0} {topic}", "{} {0} AI"),
        ("a { b } {topic} {{topic}}", "a { b } AI {topic}"),
        ("body {color: red} {topic}", "body {color: red} AI"),
        (
            "{topic.__class__} {list[0]} {topic!r} {topic:>9} {topic}",
            "{topic.__class__} {list[0]} {topic!r} {topic:>9} AI",
        ),
        ("{hostile}", VALUES["hostile"]),
        ("{list}", '[\n  "a",\n  "b"\n]'),
        ("{number} {nothing}.", "2 ."),
        ("", ""),
        ("}}{{", "}{"),
        ("}", "}"),
    ],
)
def test_names_in_braces(template: str, text: str) -> None:
    assert filled(template, VALUES) == text


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(StepError, match="missing variable 'x' in prompt template"):
        filled("{topic} {x}", VALUES)


def test_a_prompt_does_not_fill_the_memory() -> None:
    with pytest.raises(StepError, match="a prompt of more than 2000000 characters"):
        filled("{large}" * 20_000, {"large": "x" * 1_000_000})


def test_variables_and_what_only_looks_like_one() -> None:
    text = "{a} {b} {a} {{c}} {d.e} {f[0]} {g:>3} {h!r} {i: 1}"
    assert names_in(text) == ("a", "b")
    assert reaching(text) == {"d": "{d.e}", "f": "{f[0]}", "g": "{g:>3}", "h": "{h!r}"}


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4))
def test_json_in_a_prompt_stays_as_it_is(value: dict[str, object]) -> None:
    text = json.dumps({"example": {"of": value}}, indent=1)
    shown = filled(f"{text}\n{{topic}}", {"topic": "AI", **dict.fromkeys(names_in(text), "?")})
    assert shown.endswith("\nAI")
    if not names_in(text):
        assert shown.startswith(text)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("About {{ topic }}.", "About AI."),
        (
            "{% for each in list %}{{ loop.index }}. {{ each }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "1. a, 2. b",
        ),
        ("{{ object.name }} {{ object['tags'][0] }} {{ object.items }}", "Ann x 1"),
        ("{% for key, value in object | items %}{{ key }} {% endfor %}", "name tags items "),
        ("{{ missing | default('none') }} {% if missing is defined %}x{% endif %}", "none "),
        ("{{ list | join('+') }} {{ list | map('upper') | join }}", "a+b AB"),
        ("{{ object | tojson }} {{ nothing }}.", '{"name": "Ann", "tags": ["x"], "items": 1} .'),
        ("{{ number * 3 - 1 }} {{ list[:1] }}", '5 [\n  "a"\n]'),
        ('{"a": {"b": 1}} {topic}', '{"a": {"b": 1}} {topic}'),
        ("{{ hostile }}", VALUES["hostile"]),
        ("{% if number > 1 and topic in ['AI'] %}yes{% else %}no{% endif %}", "yes"),
        ("<{{ '<b>' }}>\n", "<<b>>\n"),
    ],
)
def test_jinja(template: str, text: str) -> None:
    check_template(template)
    assert rendered(template, VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ topic.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ topic['__class__'] }}",
        "{{ topic | attr('__class__') }}",
        "{{ list | map(attribute='__class__') | list }}",
        "{{ object.keys() }}",
        "{{ object.update({'a': 1}) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ '%s' | format(topic) }}",
        "{{ '{0.__class__}'.format(topic) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x = topic %}",
        "{% set x %}{{ topic }}{% endset %}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{{ topic ~ topic }}",
        "{{ topic * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ topic | center(1000000000) }}",
        "{{ loop }}",
        "{% for x in list %}{{ loop }}{% endfor %}",
        "{% for x in list %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in list recursive %}{{ loop(list) }}{% endfor %}",
        "{{ missing }}",
        "{{ missing.entry }}",
        "{{ topic",
        "{% nothing %}",
        "{{ topic | unknown_filter }}",
        "{{ 1 / 0 }}",
        "{{ list | sum }}",
        "{% for x in 5 %}{% endfor %}",
    ],
)
def test_jinja_that_is_refused_is_one_line(template: str) -> None:
    with pytest.raises(StepError) as raised:
        rendered(template, VALUES)
    assert "\n" not in str(raised.value)


def test_a_template_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jinja_text, "TIME_LIMIT_S", 0.2)
    loops = "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}"
    with pytest.raises(StepError, match="not rendered within"):
        rendered(loops, {"l": list(range(2000))})


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in l %}{{ t }}{% endfor %}",
        "{{ t | replace('x', t) }}",
        "{{ [t, t, t] | join }}",
        "{{ [t, t, t] | tojson }}",
        "{{ [t, t, t] }}",
    ],
)
def test_a_template_does_not_fill_the_memory(template: str) -> None:
    with pytest.raises(StepError, match="more than"):
        rendered(template, {"l": list(range(1000)), "t": "x" * 900_000})


def test_what_a_template_needs_and_what_it_can_do_without() -> None:
    text = "{% for a in b %}{{ a }}{{ c.d }}{% endfor %}{{ e.x | default('') }}{% if f is defined %}{{ f }}{% endif %}"
    assert check_template(text) == (("b", "c"), ("e", "f"))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a\n{{ b", "line 2: unexpected end of template"),
        ("{% set a = 1 %}", "line 1: set is not allowed in a prompt"),
        ("\n\n{{ a.b() }}", "line 3: a call is not allowed in a prompt"),
        ("{{ a | nothing }}", "No filter named 'nothing'"),
    ],
)
def test_a_bad_template_tells_its_line(template: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        check_template(template)


@given(st.text(alphabet="{}%#ab |.[]()'\"\n*+for in if end", max_size=40))
def test_any_template_is_rendered_or_refused(template: str) -> None:
    outcome = ""
    try:
        rendered(template, {"a": 1, "b": [1]})
    except StepError as error:
        outcome = str(error)
    assert "\n" not in outcome
