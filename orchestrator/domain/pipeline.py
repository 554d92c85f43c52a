"""A pipeline as it was declared: inputs, steps and what each step may do. Values are JSON; money is micro-USD."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import FailureKind

NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"  # of steps
KEY_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,99}"  # of variables: inputs, output keys, loop variables
MAX_PROMPT_CHARS = 200_000
MAX_ITEM_CONCURRENCY = 64
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_MAX_TOKENS = 4096  # of an llm step that says nothing; raised where an answer is cut off
SHORT_RETRY_DELAY_S = 0.1  # first delay where a step says `max_retries` alone


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError(f"a name has letters, digits, - and _, the first no digit; got {value[:60]!r}")
    return value


def _key(value: str) -> str:
    if not re.fullmatch(KEY_PATTERN, value):
        raise ValueError(f"a variable has letters, digits and _, the first no digit; got {value[:60]!r}")
    return value


def _key_or_none(value: str) -> str:
    return value and _key(value)


Name = Annotated[str, AfterValidator(_name)]
Key = Annotated[str, AfterValidator(_key)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Delay = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class InputType(StrEnum):
    """What an input's value must be."""

    ANY = "any"
    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"


class InputSpec(Frozen):
    """One input. One that has a default is not required; one that is neither given nor required is null."""

    type: InputType = InputType.ANY
    description: str = ""
    required: bool = True
    default: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _default_makes_optional(cls, data: Any) -> Any:
        if isinstance(data, dict) and "default" in data and "required" not in data:
            return {**data, "required": False}
        return data


class BackoffStrategy(StrEnum):
    """How delays between retries grow."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"


class RetryPolicy(Frozen):
    """Further attempts of one model (or one transform) after the first. Empty `retry_on`: see `RETRY_ON`."""

    max_retries: int = Field(default=0, ge=0, le=20)
    backoff: BackoffStrategy = BackoffStrategy.EXPONENTIAL
    base_delay_s: Delay = 1.0
    max_delay_s: Delay = 60.0
    retry_on: tuple[FailureKind, ...] = ()

    def delay_s(self, retry: int) -> float:
        """Seconds before the retry of this number, which counts from 0."""
        if self.backoff is BackoffStrategy.CONSTANT:
            return min(self.base_delay_s, self.max_delay_s)
        return min(self.base_delay_s * 2.0 ** min(retry, 32), self.max_delay_s)


class TemplateKind(StrEnum):
    """How a prompt names variables."""

    FORMAT = "format"  # {name}
    JINJA = "jinja"


class Builtin(StrEnum):
    """Transforms that are part of the project; docs/pipelines.md lists their options."""

    JSON_PARSE = "json_parse"
    SELECT = "select"
    JOIN = "join"
    REGEX = "regex"
    SPLIT = "split"
    MERGE = "merge"


class StepBase(Frozen):
    """What all steps have. An empty `output_key` means `{name}_output`, see `key`.

    `timeout_seconds` limits one attempt of an llm or transform step, and all of a step that holds others;
    None: no limit. `input_mapping` is name in this step -> variable, and hides a variable of the same name.
    """

    name: Name
    output_key: Annotated[str, AfterValidator(_key_or_none)] = ""
    depends_on: tuple[str, ...] = ()
    condition: str = Field(default="", max_length=2000)
    input_mapping: dict[Key, str] = {}

    @property
    def key(self) -> str:
        """The variable that holds the step's output."""
        return self.output_key or f"{self.name.replace('-', '_')}_output"

    @property
    def children(self) -> tuple["Step", ...]:
        """The steps that this one holds."""
        return ()


class LlmStep(StepBase):
    """Asks a model, then those of `fallback` in their order. With `response_schema` the output is its JSON."""

    step_type: Literal["llm"] = "llm"
    model: str = Field(default="", max_length=200)
    prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    system: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    template: TemplateKind = TemplateKind.FORMAT
    fallback: tuple[str, ...] = ()
    timeout_seconds: Seconds | None = DEFAULT_TIMEOUT_S
    retry: RetryPolicy = RetryPolicy()
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    response_schema: dict[str, JsonValue] | None = None


class TransformStep(StepBase):
    """Computes a value without a model: by exactly one of `expression`, `builtin` and `function`.

    `function` is the name of an entry point of the group `orchestrator.transforms`, or of a function that was
    given in Python. `options` are the built-in's.
    """

    step_type: Literal["transform"] = "transform"
    expression: str = Field(default="", max_length=20_000)
    builtin: Builtin | None = None
    function: str = Field(default="", max_length=200)
    options: dict[str, JsonValue] = {}
    timeout_seconds: Seconds | None = DEFAULT_TIMEOUT_S
    retry: RetryPolicy = RetryPolicy()


class ConditionalStep(StepBase):
    """Its steps run where its condition holds. Output: that of the last step in the file that was not skipped."""

    step_type: Literal["conditional"] = "conditional"
    timeout_seconds: Seconds | None = None
    sub_steps: tuple["Step", ...] = ()

    @property
    def children(self) -> tuple["Step", ...]:
        return self.sub_steps


class ParallelGroup(StepBase):
    """Its steps run side by side. Output: an object of step name -> output; skipped steps are left out."""

    step_type: Literal["parallel_group"] = "parallel_group"
    timeout_seconds: Seconds | None = None
    sub_steps: tuple["Step", ...] = ()

    @property
    def children(self) -> tuple["Step", ...]:
        return self.sub_steps


class ForEachStep(StepBase):
    """Its steps run once per element of `items`, at most `concurrency` elements at a time.

    `items` is an expression, or the list itself. In the steps, `item_var` is the element and `{item_var}_index`
    its position from 0. Output: the list of what the last step gave for each element, null where it was skipped.
    """

    step_type: Literal["for_each"] = "for_each"
    items: str | list[JsonValue] = ""
    item_var: Key = "item"
    concurrency: int = Field(default=8, ge=1, le=MAX_ITEM_CONCURRENCY)
    timeout_seconds: Seconds | None = None
    sub_steps: tuple["Step", ...] = ()

    @property
    def children(self) -> tuple["Step", ...]:
        return self.sub_steps

    @property
    def index_var(self) -> str:
        """The variable that holds the element's position."""
        return f"{self.item_var}_index"


Step = Annotated[
    LlmStep | TransformStep | ConditionalStep | ParallelGroup | ForEachStep, Field(discriminator="step_type")
]

for _holder in (ConditionalStep, ParallelGroup, ForEachStep):
    _holder.model_rebuild()


class PipelineSpec(Frozen):
    """A pipeline. `budget` is USD for one run, None for no limit; no `inputs`: variables that no step gives are inputs.

    `orchestrator.pipelines.validation` tells whether it can run, and makes the plan that is run.
    """

    name: str = Field(default="", max_length=200)
    version: str = Field(default="1.0", max_length=100)
    description: str = Field(default="", max_length=10_000)
    metadata: dict[str, JsonValue] = {}
    inputs: dict[Key, InputSpec] = {}
    budget: float | None = Field(default=None, gt=0, le=1_000_000, allow_inf_nan=False)
    steps: tuple[Step, ...] = ()


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """These steps and all that they hold, each before what it holds, in the order of the file."""
    for step in steps:
        yield step
        yield from all_steps(step.children)
