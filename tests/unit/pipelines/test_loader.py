"""Pipelines from YAML: every error at once with its place, and what is written reads back as the same."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.pipeline import (
    ConditionalStep,
    ForEachStep,
    LlmStep,
    ParallelGroup,
    PipelineSpec,
    RetryPolicy,
    TransformStep,
)
from orchestrator.pipelines.inputs import given as given_inputs
from orchestrator.pipelines.loader import PipelineFileError, load_pipeline, parse_pipeline
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.pipelines.validation import plan_of, problems
from orchestrator.pipelines.writer import as_dict, as_yaml

PRICE = PriceTier(input_micro=1, cached_input_micro=1, output_micro=1)


def model(name: str, *, priced: bool = True) -> ModelSpec:
    prices = (PRICE,) if priced else ()
    return ModelSpec(
        id=f"v:{name}",
        vendor="v",
        model=name,
        prices=prices,
        context_tokens=1000,
        max_output_tokens=1000,
        aliases=("al",),
    )


MODELS = (model("good"), model("unpriced", priced=False).model_copy(update={"aliases": ()}))

DOCUMENTED = """
name: research_and_summarize
version: "1.0"
description: "Research a topic and create a summary"
steps:
  - name: research
    model: gemini-2.5-flash-lite
    prompt: "Research the following topic:\\n{topic}"
    output_key: research_output

  - name: summarize
    model: gemini-2.5-flash-lite
    prompt: "Summarize these findings:\\n{research_output}"
    output_key: summary
    depends_on: research
"""

EVERYTHING = """
name: everything
version: 1.10
description: all that can be written
metadata: {owner: team a, since: 2026-01-31, tags: [1, 2.5, true, null], text: "yes"}
inputs:
  topic: {type: string, description: what about, default: "yes"}
  size: {type: integer, default: 3}
  free:
  flags: {type: object, required: false}
budget: 0.50
steps:
  - name: first
    prompt_template: |
      {{"json": "{topic}"}}
        indented

      end
    model: good
    system: be {free}
    fallback: [al, "v:good"]
    max_retries: 2
    max_tokens: 100
    temperature: 0
    timeout_seconds: null
    input_mapping: {topic: free}
    condition: "equals:topic:http://x"
  - name: second-step
    model: good
    prompt: "{{ topic }} {{ first_output | default('') }}"
    template: jinja
    retry: {max_retries: 3, backoff: constant, base_delay_s: 0.5, max_delay_s: 9, retry_on: [timeout, server]}
    response_schema: {type: object, properties: {a: {type: integer, minimum: 1}}, required: [a]}
  - name: group
    step_type: parallel_group
    depends_on: [first, second-step]
    timeout_seconds: 60
    sub_steps:
      - {name: a, step_type: transform, expression: "upper(topic)"}
      - {name: b, step_type: transform, builtin: regex, options: {input: topic, pattern: "a.c", group: 0, all: true}}
  - name: loop
    step_type: for_each
    items: [1, "two", {three: 3}]
    item_var: entry
    concurrency: 2
    sub_steps:
      - name: choice
        step_type: conditional
        condition: entry_index > 0
        sub_steps:
          - {name: asked, model: good, prompt: "{entry}", output_key: reply}
"""


def complaints(text: str, models: tuple[ModelSpec, ...] | None = MODELS) -> list[str]:
    """What is wrong with a file, without its name."""
    with pytest.raises(PipelineFileError) as raised:
        parse_pipeline(text, "p.yaml", models=models)
    assert all(problem.startswith("p.yaml:") for problem in raised.value.problems)
    return [problem.removeprefix("p.yaml:") for problem in raised.value.problems]


def test_the_documented_example_is_read() -> None:
    spec = parse_pipeline(DOCUMENTED)
    assert [step.name for step in spec.steps] == ["research", "summarize"]
    assert (spec.version, spec.steps[1].depends_on) == ("1.0", ("research",))
    assert plan_of(spec).inputs.keys() == {"topic"}


def test_everything_is_read_as_it_was_meant() -> None:
    spec = parse_pipeline(EVERYTHING, models=MODELS)
    assert spec.version == "1.10"
    assert spec.metadata == {"owner": "team a", "since": "2026-01-31", "tags": [1, 2.5, True, None], "text": "yes"}
    assert spec.inputs["topic"].default == "yes"
    assert not spec.inputs["size"].required
    assert spec.inputs["free"].required
    first, second, group, loop = spec.steps
    assert isinstance(first, LlmStep)
    assert first.retry == RetryPolicy(max_retries=2, base_delay_s=0.1)
    assert first.timeout_seconds is None
    assert isinstance(second, LlmStep)
    assert second.retry.retry_on == ("timeout", "server")
    properties = {"a": {"type": "integer", "minimum": 1}}
    assert second.response_schema == {"type": "object", "properties": properties, "required": ["a"]}
    assert isinstance(group, ParallelGroup)
    assert isinstance(group.sub_steps[1], TransformStep)
    assert group.sub_steps[1].options == {"input": "topic", "pattern": "a.c", "group": 0, "all": True}
    assert isinstance(loop, ForEachStep)
    assert loop.items == [1, "two", {"three": 3}]
    assert isinstance(loop.sub_steps[0], ConditionalStep)


@pytest.mark.parametrize("text", [DOCUMENTED, EVERYTHING])
def test_what_is_written_reads_back_as_the_same(text: str) -> None:
    pipeline = Pipeline.from_yaml(text)
    again = Pipeline.from_yaml(pipeline.to_yaml())
    assert again == pipeline
    assert again.to_yaml() == pipeline.to_yaml()
    assert Pipeline.from_dict(pipeline.to_dict()) == pipeline


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30)
_LLM = st.builds(
    LlmStep,
    name=st.just("a"),
    model=_TEXT,
    prompt=_TEXT,
    system=_TEXT,
    condition=_TEXT,
    depends_on=st.lists(_TEXT, max_size=2).map(tuple),
    timeout_seconds=st.none() | st.floats(0.001, 86_400),
    retry=st.builds(RetryPolicy, max_retries=st.integers(0, 20), base_delay_s=st.floats(0, 10)),
    temperature=st.none() | st.floats(0, 2),
    response_schema=st.none() | st.dictionaries(_TEXT, st.integers() | _TEXT | st.booleans() | st.none(), max_size=2),
)


@given(_LLM, _TEXT, st.dictionaries(_TEXT, _TEXT | st.floats(allow_nan=False, allow_infinity=False), max_size=2))
def test_any_step_reads_back(step: LlmStep, description: str, metadata: dict[str, Any]) -> None:
    metadata = {name: value for name, value in metadata.items() if name}
    schema = {name: value for name, value in (step.response_schema or {}).items() if name}
    step = step.model_copy(update={"response_schema": schema if step.response_schema is not None else None})
    spec = PipelineSpec(name="p", description=description, metadata=metadata, steps=(step,))
    assert parse_pipeline(as_yaml(spec), check=False) == spec


def test_the_order_of_fields_is_the_documented_one() -> None:
    written = as_dict(parse_pipeline(EVERYTHING, check=False))
    assert list(written)[:2] == ["name", "version"]
    order = ["name", "step_type", "output_key", "timeout_seconds", "max_retries", "model", "prompt", "input_mapping"]
    first = [name for name in written["steps"][0] if name in order]
    assert first == [name for name in order if name in first]


WRONG = """
name: bad
budget: lots
colour: red
inputs:
  topic: {type: string, default: 5}
  n: {type: numbr}
steps:
  - name: a
    model: gooood
    prompt: "x {topic} {nope}"
    timeout_seconds: -3
    condition: "equals:topic"
  - name: a2
    step_type: lllm
  - name: b
    model: good
    prompt_template: "x {c_output} {topic[0]}"
    depends_on: zzz
    max_retries: many
  - name: c
    model: good
    prompt: "{b_output}"
    tempreature: 1
  - name: "bad name!"
    model: good
    prompt: "{b_output}"
  - name: e
    step_type: for_each
    items: "split(topic"
    sub_steps:
      - name: f
        step_type: transform
        builtin: regex
        options: {input: item, pattern: "(", grp: 1}
      - name: g
        model: unpriced
        prompt: "{item} {f_output}"
  - name: h
    model: good
    prompt: "{g_output}"
    depends_on: [h, bad name!, c]
  - just text
  - name: i
    step_type: transform
  - name: j
    step_type: parallel_group
  - name: k
    output_key: a_output
    max_tokens: 1.5
    retry: {retries: 2}
"""


PLACES = """
3:9: budget: must be a number
4:1: colour: unknown name; known names: name, version,
6:34: inputs.topic.default: Input 'topic': the default must be a text, not a number
7:13: inputs.n.type: unknown value 'numbr'; did you mean 'number'?
10:12: steps[0].model: Step 'a': unknown model 'gooood'; did you mean 'good'?
11:13: steps[0].prompt: Step 'a': no input and no step gives 'nope';
12:22: steps[0].timeout_seconds: input should be greater than 0; got '-3'
13:16: steps[0].condition: Step 'a': bad condition: equals needs a value: equals:topic:value (column 8)
15:16: steps[1].step_type: unknown kind of step; did you mean 'llm'?
16:5: steps[2]: Steps wait for each other: 'b' -> 'c' -> 'b'
18:22: steps[2].prompt: Step 'b': '{topic[0]}' is text here;
19:17: steps[2].depends_on: Step 'b' depends on unknown step 'zzz'
20:18: steps[2].retry.max_retries: must be a whole number; got 'many'
24:5: steps[3].tempreature: unknown name; did you mean 'temperature'?
25:11: steps[4].name: a name has letters, digits, - and _, the first no digit; got 'bad name!'
30:12: steps[5].items: Step 'e': bad expression: ',' is expected, but something is missing at the end
35:51: steps[5].sub_steps[0].options.grp: Step 'f': option 'grp' is unknown; did you mean 'group'?
41:13: steps[6].prompt: Step 'h': 'g_output' is given once per element of 'e'; all of them are 'e_output'
42:17: steps[6].depends_on: Step 'h' depends on itself
43:5: steps[7]: must be a step: lines such as 'name: ...', 'model: ...' and 'prompt: ...'
44:5: steps[8]: Step 'i': transform_fn is required for Transform steps:
46:5: steps[9].sub_steps: Step 'j': sub_steps required for ParallelGroup steps
48:5: steps[10].model: Step 'k': model is required for LLM steps
48:5: steps[10].prompt: Step 'k': prompt_template is required for LLM steps
49:17: steps[10].output_key: Duplicate output key: 'a_output'
50:17: steps[10].max_tokens: must be a whole number
51:13: steps[10].retry.retries: unknown name; did you mean 'max_retries'?
"""


def test_all_errors_at_once_each_with_its_place() -> None:
    found, expected = complaints(WRONG), PLACES.strip().splitlines()
    assert [each[: len(words)] for each, words in zip(found, expected, strict=True)] == expected


KINDS = {
    "Duplicate step name: 'a'": "- {name: a, model: good, prompt: '{x}'}\n- {name: a, model: good, prompt: '{x}'}",
    "Step 'a' depends on itself": "- {name: a, model: good, prompt: '{a_output}'}",
    "'b' -> 'c' -> 'b'": "- {name: b, depends_on: c}\n- {name: c, model: good, prompt: '{b_output}'}",
    "one of the two holds the other": "- {name: g, step_type: parallel_group, sub_steps: [{name: a, depends_on: g}]}",
    "'g' -> 'c' -> 'g'": """
- name: g
  step_type: parallel_group
  sub_steps:
    - {name: a, model: good, prompt: x}
    - {name: b, model: good, prompt: '{c_output}'}
- {name: c, model: good, prompt: '{a_output}'}
""",
    "did you mean 'find_output'": "- {name: find, model: good, prompt: x}\n- {name: b, prompt: '{find_outptu}'}",
    "expression and builtin exclude": "- {name: a, step_type: transform, expression: x, builtin: join}",
    "join takes either input": "- {name: a, step_type: transform, builtin: join, options: {separator: x}}",
    "option 'path' is missing for select": "- {name: a, step_type: transform, builtin: select, options: {input: x}}",
    "bad pattern": "- {name: a, step_type: transform, builtin: regex, options: {input: x, pattern: '('}}",
    "unknown value 'jion'; did you mean 'join'?": "- {name: a, step_type: transform, builtin: jion}",
    "unknown function 'nobody'": "- {name: a, step_type: transform, function: nobody}",
    "options are for a builtin": "- {name: a, step_type: transform, expression: x, options: {input: x}}",
    "condition is required": "- {name: a, step_type: conditional, sub_steps: [{name: b, model: good, prompt: x}]}",
    "sub_steps required for ForEach": "- {name: a, step_type: for_each, items: x}",
    "items is required": "- {name: a, step_type: for_each, sub_steps: [{name: b, model: good, prompt: x}]}",
    "line 1: set is not allowed": "- {name: a, model: good, prompt: '{% set a = 1 %}', template: jinja}",
    "no JSON Schema": "- {name: a, model: good, prompt: x, response_schema: {type: strin}}",
    "must be that of an object": "- {name: a, model: good, prompt: x, response_schema: {type: array}}",
    "'pattern' is not supported": "- {name: a, response_schema: {type: object, properties: {b: {pattern: x}}}}",
    "'$ref' is not supported": "- {name: a, response_schema: {type: object, allOf: [{$ref: 'http://x'}]}}",
    "says the same as 'retry'": "- {name: a, retry: {max_retries: 1}, max_retries: 1}",
    "less than or equal to 20": "- {name: a, retry: {max_retries: 99}}",
    "did you mean 'rate_limit'": "- {name: a, retry: {retry_on: [ratelimit]}}",
    "greater than or equal to 1": "- {name: a, max_tokens: 0}",
    "must be a number": "- {name: a, temperature: .nan}",
    "input_mapping.b: Step 'a': no step gives 'd_outptu'": """
- {name: a, model: good, prompt: x, input_mapping: {b: d_outptu}}
- {name: d, model: good, prompt: x}
""",
    "unknown model 'nobody'": "- {name: a, model: good, prompt: x, fallback: [good, nobody]}",
    "bad condition": "- {name: a, model: good, prompt: x, condition: 'no such: form'}",
    "must be a step": "- [list]",
    "must be a list of steps": "text",
}


@pytest.mark.parametrize(("words", "lines"), KINDS.items())
def test_each_kind_of_error(words: str, lines: str) -> None:
    steps = "\n".join(f"  {line}" for line in lines.splitlines())
    assert any(words in each for each in complaints(f"name: p\nsteps:\n{steps}\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a pipeline is a list of 'name: value' lines"),
        ("- a\n- b", "a pipeline is a list of 'name: value' lines"),
        ("name: p", "Pipeline must have at least one step"),
        ("name: ''\nsteps: []", "Pipeline name is required"),
        ("name: p\nname: q\nsteps: []", "is given twice"),
        ("name: [p\nsteps: []", "is not YAML"),
        ("name: p\nsteps: &a [*a]", "is a repeated anchor"),
        ("name: p\nmetadata: {a: &a [1], b: *a}\nsteps: []", "is a repeated anchor"),
        ("name: !!python/object:os.system p\nsteps: []", "has a YAML tag"),
        ("name: p\ninputs: {a: 5}\nsteps: []", "must be lines such as 'type: string'"),
        ("name: p\ninputs: {a-b: {}}\nsteps: []", "a variable has letters"),
        ("name: p\nbudget: -1\nsteps: []", "greater than 0"),
    ],
)
def test_each_kind_of_error_at_the_top(text: str, words: str) -> None:
    with pytest.raises(PipelineFileError) as raised:
        parse_pipeline(text, "p.yaml")
    assert any(words in problem for problem in raised.value.problems), raised.value.problems


def test_pipelines_have_a_size() -> None:
    many = "".join(f"  - {{name: s{number}, model: good, prompt: x}}\n" for number in range(1001))
    assert complaints(f"name: p\nsteps:\n{many}") == ["3:3: steps: 1001 steps; at most 1000 are allowed"]
    nested = "{name: last, model: good, prompt: x}"
    for number in range(10):
        nested = f"{{name: s{number}, step_type: parallel_group, sub_steps: [{nested}]}}"
    (deep,) = complaints(f"name: p\nsteps: [{nested}]")
    assert deep.endswith("Step 'last': nested more than 10 levels deep")
    for number in range(100):
        nested = f"{{name: t{number}, step_type: parallel_group, sub_steps: [{nested}]}}"
    assert complaints(f"name: p\nsteps: [{nested}]")


def test_a_model_without_a_price_is_refused_under_a_budget_only() -> None:
    text = "name: p\nsteps: [{name: a, model: unpriced, prompt: x}]\n"
    parse_pipeline(text, models=MODELS)
    (problem,) = complaints(f"{text}budget: 1\n")
    assert problem.startswith("2:26: steps[0].model: Step 'a': the price of v:unpriced is not known")


def test_models_are_not_checked_where_none_are_given() -> None:
    assert not problems(parse_pipeline("name: p\nsteps: [{name: a, model: any name, prompt: x}]"))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(PipelineFileError, match="cannot be read"):
        load_pipeline(Path("nowhere.yaml"))
    with pytest.raises(FileNotFoundError):
        Pipeline.from_yaml_file("nowhere.yaml")
    with pytest.raises(ValueError, match="a pipeline is a list"):
        Pipeline.from_yaml("[1, 2]")


def test_inputs_of_a_run() -> None:
    plan = plan_of(parse_pipeline(EVERYTHING))
    assert given_inputs(plan, {"free": [1], "size": "4", "flags": '{"a": 1}'}) == {
        "topic": "yes",
        "size": 4,
        "free": [1],
        "flags": {"a": 1},
    }
    assert given_inputs(plan, {"free": ""})["flags"] is None
    with pytest.raises(UserInputErrors) as raised:
        given_inputs(plan, {"size": "4.5", "tpoic": "x", "flags": "[1]"})
    assert raised.value.problems == (
        "input 'tpoic': unknown; did you mean 'topic'?",
        "input 'size': must be a whole number, not a number",
        "input 'free': is missing; give it as -i free=... or in the inputs",
        "input 'flags': must be an object, not a list",
    )
    with pytest.raises(UserInputError, match="must be a whole number, not a truth value"):
        given_inputs(plan, {"free": 1, "size": True})


def test_undeclared_inputs_are_what_no_step_gives() -> None:
    steps = "[{name: a, model: m, prompt: '{x}', condition: 'not_empty:y'}, {name: b, model: m, prompt: '{a_output}'}]"
    plan = plan_of(parse_pipeline(f"name: p\nsteps: {steps}"))
    assert {name: spec.required for name, spec in plan.inputs.items()} == {"x": True, "y": False}
    assert given_inputs(plan, {"x": "1", "more": 2}) == {"x": "1", "more": 2, "y": None}


_NAMES = (
    *("name", "version", "metadata", "inputs", "budget", "steps", "step_type", "output_key", "depends_on", "condition"),
    *("timeout_seconds", "retry", "max_retries", "model", "prompt", "prompt_template", "template", "fallback", "items"),
    *(
        "input_mapping",
        "sub_steps",
        "expression",
        "builtin",
        "options",
        "input",
        "inputs",
        "pattern",
        "response_schema",
    ),
    *("type", "default", "required", "item_var", "concurrency", "max_tokens", "temperature", "a", "b-c", "1", ""),
)
_WORDS = (
    *("llm", "transform", "conditional", "parallel", "for_each", "jinja", "regex", "join", "merge", "object", "list"),
    *("a", "b", "{a}", "{{ a }}", "{% if %}", "equals:a:b", "a ==", "a_output", "[a]", "5", "-1", "1e9", "yes", ".nan"),
)
_SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(_WORDS) | st.text(max_size=5)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)
_STEPS = st.lists(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=6), max_size=3)


@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=3), _STEPS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_file_is_read_or_refused_with_its_lines(top: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump({**top, "steps": steps})
    problems: tuple[str, ...] = ()
    try:
        plan_of(parse_pipeline(text, "p.yaml", models=MODELS))
    except PipelineFileError as error:
        problems = error.problems
    assert all(problem.startswith("p.yaml:") and "\n" not in problem for problem in problems)
