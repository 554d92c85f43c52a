"""Which variables a step reads, told from its texts without running it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from orchestrator.domain.pipeline import (
    ForEachStep,
    LlmStep,
    PipelineSpec,
    Step,
    TemplateKind,
    TransformStep,
    all_steps,
)
from orchestrator.domain.pipeline_plan import Uses
from orchestrator.pipelines.builtins import inputs_of
from orchestrator.pipelines.conditions import parse_condition
from orchestrator.pipelines.errors import ExpressionError
from orchestrator.pipelines.expression_tree import variables
from orchestrator.pipelines.expressions import parse_expression
from orchestrator.pipelines.format_text import names_in
from orchestrator.pipelines.jinja_text import check_template


def uses_of(spec: PipelineSpec) -> dict[str, Uses]:
    """The variables of every step, by step. What cannot be read counts for nothing: validation tells of it."""
    return {step.name: _of_step(step) for step in reversed([*all_steps(spec.steps)])}


def _of_step(step: Step) -> Uses:
    needs = dict.fromkeys(_mapped(step, _needed(step)))
    may_use = dict.fromkeys(_mapped(step, _optional(step)))
    return Uses(
        needs=tuple(needs),
        may_use=tuple(name for name in may_use if name not in needs),
        everything=isinstance(step, TransformStep) and bool(step.function),
    )


def _mapped(step: Step, names: Iterable[str]) -> Iterator[str]:
    return (step.input_mapping.get(name, name) for name in names)


def _needed(step: Step) -> list[str]:
    found = [name for text in _prompts(step) for name in _names(step, text)[0]]
    if isinstance(step, TransformStep) and step.builtin is not None:
        found += inputs_of(step.options)
    return found + [name for text in _expressions(step) for name, lenient in _read(text) if not lenient]


def _optional(step: Step) -> list[str]:
    found = [name for text in _prompts(step) for name in _names(step, text)[1]]
    found += [name for text in _expressions(step) for name, lenient in _read(text) if lenient]
    if step.condition:
        with suppress(ExpressionError):
            found += [name for name, _ in variables(parse_condition(step.condition))]
    return found


def _prompts(step: Step) -> tuple[str, ...]:
    return (step.system, step.prompt) if isinstance(step, LlmStep) else ()


def _expressions(step: Step) -> tuple[str, ...]:
    if isinstance(step, TransformStep) and step.expression:
        return (step.expression,)
    return (step.items,) if isinstance(step, ForEachStep) and isinstance(step.items, str) else ()


def _names(step: Step, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not isinstance(step, LlmStep) or step.template is TemplateKind.FORMAT:
        return names_in(text), ()
    try:
        return check_template(text)
    except ExpressionError:
        return (), ()


def _read(text: str) -> list[tuple[str, bool]]:
    try:
        return list(variables(parse_expression(text)))
    except ExpressionError:
        return []
