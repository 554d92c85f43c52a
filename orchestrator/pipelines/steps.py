"""Steps as they are built in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import JsonValue

from orchestrator.domain.pipeline import (
    DEFAULT_TIMEOUT_S,
    SHORT_RETRY_DELAY_S,
    Builtin,
    ConditionalStep,
    ForEachStep,
    LlmStep,
    ParallelGroup,
    RetryPolicy,
    Step,
    TemplateKind,
    TransformStep,
)
from orchestrator.pipelines.registered import TransformFunction
from orchestrator.pipelines.step_checks import faults_of
from orchestrator.pipelines.values import prompt_of
from orchestrator.pipelines.writer import step_as_dict

Names = str | Sequence[str] | None


class StepType(StrEnum):
    """Kinds of steps."""

    LLM = "llm"
    TRANSFORM = "transform"
    CONDITIONAL = "conditional"
    PARALLEL_GROUP = "parallel_group"
    FOR_EACH = "for_each"


@dataclass(frozen=True)
class PipelineStep:
    """A step, and the Python function of a transform where it has one. `spec` is all that a file would say of it."""

    spec: Step
    transform_fn: TransformFunction | None = None
    sub_steps: tuple["PipelineStep", ...] = ()

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def step_type(self) -> StepType:
        return StepType(self.spec.step_type)

    @property
    def output_key(self) -> str:
        return self.spec.key

    @property
    def model(self) -> str:
        """The name of the model, empty for steps that ask none."""
        return self.spec.model if isinstance(self.spec, LlmStep) else ""

    @property
    def prompt_template(self) -> str:
        """The prompt as it was written, empty for steps that ask no model."""
        return self.spec.prompt if isinstance(self.spec, LlmStep) else ""

    @property
    def depends_on(self) -> tuple[str, ...]:
        return self.spec.depends_on

    def functions(self) -> dict[str, TransformFunction]:
        """The Python functions of this step and of those that it holds, by the names that their specs give them."""
        own: dict[str, TransformFunction] = {}
        if self.transform_fn is not None and isinstance(self.spec, TransformStep):
            own[self.spec.function] = self.transform_fn
        return own | {name: each for step in self.sub_steps for name, each in step.functions().items()}

    def render_prompt(self, context: Mapping[str, JsonValue]) -> str:
        """The prompt with the variables of `context`, `input_mapping` applied. Raises StepError."""
        if not isinstance(self.spec, LlmStep):
            return ""
        mapped = {inner: context[outer] for inner, outer in self.spec.input_mapping.items() if outer in context}
        return prompt_of(self.spec, {**context, **mapped})[1]

    def validate(self) -> list[str]:
        """Everything that is wrong with the step alone."""
        own = [f"Step '{self.name}': {fault.message}" for fault in faults_of(self.spec)]
        return own + [problem for step in self.sub_steps for problem in step.validate()]

    def to_dict(self) -> dict[str, Any]:
        """The step as a file has it."""
        return step_as_dict(self.spec)


def step_of(spec: Step) -> PipelineStep:
    """The step of a file."""
    return PipelineStep(spec, None, tuple(step_of(each) for each in spec.children))


def create_llm_step(
    name: str,
    model: str,
    prompt_template: str,
    output_key: str = "",
    input_mapping: Mapping[str, str] | None = None,
    condition: str | None = None,
    timeout_seconds: float | None = DEFAULT_TIMEOUT_S,
    max_retries: int = 0,
    depends_on: Names = None,
    *,
    system: str = "",
    template: str = TemplateKind.FORMAT.value,
    fallback: Names = None,
    retry: RetryPolicy | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    response_schema: Mapping[str, JsonValue] | None = None,
) -> PipelineStep:
    """A step that asks a model. `retry` replaces `max_retries`. Raises ValueError for values that cannot be."""
    spec = LlmStep(
        name=name,
        model=model,
        prompt=prompt_template,
        output_key=output_key,
        input_mapping=dict(input_mapping or {}),
        condition=condition or "",
        timeout_seconds=timeout_seconds,
        retry=retry or _retry(max_retries),
        depends_on=_names(depends_on),
        system=system,
        template=TemplateKind(template),
        fallback=_names(fallback),
        max_tokens=max_tokens,
        temperature=temperature,
        response_schema=None if response_schema is None else dict(response_schema),
    )
    return PipelineStep(spec)


def create_transform_step(
    name: str,
    transform_fn: TransformFunction | None = None,
    output_key: str = "",
    condition: str | None = None,
    depends_on: Names = None,
    *,
    expression: str = "",
    builtin: str | None = None,
    function: str = "",
    options: Mapping[str, JsonValue] | None = None,
    timeout_seconds: float | None = DEFAULT_TIMEOUT_S,
    max_retries: int = 0,
) -> PipelineStep:
    """A step that computes: by a Python function of all variables, an expression, a built-in or an entry point.

    A Python function waits for all steps before it, unless `depends_on` says for which. Pipelines with one run in this
    process only, and cannot be written to a file.
    """
    spec = TransformStep(
        name=name,
        output_key=output_key,
        condition=condition or "",
        depends_on=_names(depends_on),
        expression=expression,
        builtin=None if builtin is None else Builtin(builtin),
        function=function or (f"python:{name}" if transform_fn is not None else ""),
        options=dict(options or {}),
        timeout_seconds=timeout_seconds,
        retry=_retry(max_retries),
    )
    return PipelineStep(spec, transform_fn)


def create_parallel_group(
    name: str,
    sub_steps: Sequence[PipelineStep],
    output_key: str = "",
    condition: str | None = None,
    depends_on: Names = None,
    *,
    timeout_seconds: float | None = None,
) -> PipelineStep:
    """A step whose steps run side by side; its output is an object of step name -> output."""
    spec = ParallelGroup(
        name=name,
        output_key=output_key,
        condition=condition or "",
        depends_on=_names(depends_on),
        timeout_seconds=timeout_seconds,
        sub_steps=tuple(step.spec for step in sub_steps),
    )
    return PipelineStep(spec, None, tuple(sub_steps))


def create_conditional_step(
    name: str,
    condition: str,
    sub_steps: Sequence[PipelineStep],
    output_key: str = "",
    depends_on: Names = None,
    *,
    timeout_seconds: float | None = None,
) -> PipelineStep:
    """A step whose steps run where `condition` holds; its output is that of the last of them."""
    spec = ConditionalStep(
        name=name,
        condition=condition,
        output_key=output_key,
        depends_on=_names(depends_on),
        timeout_seconds=timeout_seconds,
        sub_steps=tuple(step.spec for step in sub_steps),
    )
    return PipelineStep(spec, None, tuple(sub_steps))


def create_for_each_step(
    name: str,
    items: str | Sequence[JsonValue],
    sub_steps: Sequence[PipelineStep],
    output_key: str = "",
    condition: str | None = None,
    depends_on: Names = None,
    *,
    item_var: str = "item",
    concurrency: int = 8,
    timeout_seconds: float | None = None,
) -> PipelineStep:
    """A step whose steps run once per element of `items`; its output is the list of what the last of them gave."""
    spec = ForEachStep(
        name=name,
        items=items if isinstance(items, str) else list(items),
        item_var=item_var,
        concurrency=concurrency,
        output_key=output_key,
        condition=condition or "",
        depends_on=_names(depends_on),
        timeout_seconds=timeout_seconds,
        sub_steps=tuple(step.spec for step in sub_steps),
    )
    return PipelineStep(spec, None, tuple(sub_steps))


def _names(names: Names) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _retry(max_retries: int) -> RetryPolicy:
    return RetryPolicy(max_retries=max_retries, base_delay_s=SHORT_RETRY_DELAY_S) if max_retries else RetryPolicy()
