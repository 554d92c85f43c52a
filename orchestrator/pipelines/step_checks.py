"""What is wrong with one step, whatever stands around it."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, SchemaError
from pydantic import ValidationError

from orchestrator.domain.pipeline import (
    ConditionalStep,
    ForEachStep,
    LlmStep,
    ParallelGroup,
    Step,
    TemplateKind,
    TransformStep,
)
from orchestrator.domain.text import one_line
from orchestrator.pipelines.builtins import OPTIONS, Join, Regex, options_of
from orchestrator.pipelines.conditions import parse_condition
from orchestrator.pipelines.errors import ExpressionError
from orchestrator.pipelines.expressions import parse_expression
from orchestrator.pipelines.format_text import reaching
from orchestrator.pipelines.jinja_text import check_template
from orchestrator.settings.yaml_files import nearest

_PATTERNS = ("pattern", "patternProperties")  # of hostile texts, they could take for ever
_MAX_SCHEMA_DEPTH = 30


class StepFault(NamedTuple):
    """A field of a step and what is wrong with it."""

    field: tuple[str | int, ...]
    message: str


def faults_of(step: Step) -> Iterator[StepFault]:
    """Everything wrong with a step alone."""
    if step.condition:
        try:
            parse_condition(step.condition)
        except ExpressionError as error:
            yield StepFault(("condition",), f"bad condition: {error} (column {error.column})")
    match step:
        case LlmStep():
            yield from _llm(step)
        case TransformStep():
            yield from _transform(step)
        case ParallelGroup() if not step.sub_steps:
            yield StepFault(("sub_steps",), "sub_steps required for ParallelGroup steps")
        case ConditionalStep():
            if not step.sub_steps:
                yield StepFault(("sub_steps",), "sub_steps required for Conditional steps")
            if not step.condition:
                yield StepFault(("condition",), "condition is required for Conditional steps")
        case ForEachStep():
            yield from _for_each(step)


def _llm(step: LlmStep) -> Iterator[StepFault]:
    if not step.model:
        yield StepFault(("model",), "model is required for LLM steps")
    if not step.prompt:
        yield StepFault(("prompt",), "prompt_template is required for LLM steps")
    for field, text in (("prompt", step.prompt), ("system", step.system)):
        if step.template is TemplateKind.JINJA:
            try:
                check_template(text)
            except ExpressionError as error:
                yield StepFault((field,), f"bad template: {error}")
        else:
            for shown in reaching(text).values():
                words = f"'{one_line(shown, 60)}' is text here; 'template: jinja' or a transform reads parts of a value"
                yield StepFault((field,), words)
    if step.response_schema is not None:
        yield from _schema(step.response_schema)


def _schema(schema: dict[str, Any]) -> Iterator[StepFault]:
    at = ("response_schema",)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield StepFault(at, f"no JSON Schema: {one_line(error.message)}")
        return
    except RecursionError:
        yield StepFault(at, "nested too deeply")
        return
    if schema.get("type") != "object":
        yield StepFault(at, "the schema must be that of an object: type: object")
    if found := _keyword(schema, 0):
        yield StepFault(at, f"'{found}' is not supported; check texts with a regex transform")


def _keyword(value: Any, depth: int) -> str:
    """A keyword that is not supported; properties of that name are not meant."""
    if depth > _MAX_SCHEMA_DEPTH or not isinstance(value, dict | list):
        return ""
    if isinstance(value, list):
        return next((found for each in value if (found := _keyword(each, depth + 1))), "")
    for name, each in value.items():
        if name in _PATTERNS or (name == "$ref" and not str(each).startswith("#")):
            return str(name)
        inner = each.values() if name in ("properties", "$defs") and isinstance(each, dict) else [each]
        for part in inner:
            if found := _keyword(part, depth + 1):
                return found
    return ""


def _transform(step: TransformStep) -> Iterator[StepFault]:
    ways = [name for name in ("expression", "builtin", "function") if getattr(step, name)]
    if not ways:
        yield StepFault((), "transform_fn is required for Transform steps: an expression, a builtin or a function")
    elif len(ways) > 1:
        yield StepFault((ways[1],), f"{' and '.join(ways)} exclude each other")
    if step.expression:
        yield from _expression("expression", step.expression)
    if step.builtin is None:
        if step.options:
            yield StepFault(("options",), "options are for a builtin")
        return
    try:
        options = options_of(step)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield _option(step, dict(each))
        return
    if isinstance(options, Join) and bool(options.input) is bool(options.inputs):
        yield StepFault(("options",), "join takes either input, a list, or inputs, names of variables")
    if isinstance(options, Regex):
        try:
            re.compile(options.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            yield StepFault(("options", "pattern"), f"bad pattern: {error}")


def _option(step: TransformStep, error: dict[str, Any]) -> StepFault:
    assert step.builtin is not None
    path = ("options", *error["loc"])
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return StepFault(path, f"option '{name}' is unknown; {nearest(name, OPTIONS[step.builtin].model_fields)}")
    if error["type"] == "missing":
        return StepFault(("options",), f"option '{name}' is missing for {step.builtin.value}")
    return StepFault(path, f"option '{name}': {error['msg']}")


def _for_each(step: ForEachStep) -> Iterator[StepFault]:
    if not step.sub_steps:
        yield StepFault(("sub_steps",), "sub_steps required for ForEach steps")
    if isinstance(step.items, list):
        return
    if not step.items:
        yield StepFault(("items",), "items is required for ForEach steps: an expression or a list")
    else:
        yield from _expression("items", step.items)


def _expression(field: str, text: str) -> Iterator[StepFault]:
    try:
        parse_expression(text)
    except ExpressionError as error:
        yield StepFault((field,), f"bad expression: {error} (column {error.column})")
