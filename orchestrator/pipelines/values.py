"""What a step makes of its variables: pure functions, used by the workflow's activities and by the local executor.

A value is JSON; in a store it is the UTF-8 of its JSON, so a text is a JSON string.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from orchestrator.domain.pipeline import ForEachStep, LlmStep, TemplateKind
from orchestrator.domain.text import one_line
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.evaluation import value_of
from orchestrator.pipelines.format_text import filled
from orchestrator.pipelines.functions import kind_of
from orchestrator.pipelines.jinja_text import rendered

MAX_VALUE_BYTES = 10_000_000
MAX_ITEMS = 5000


def encode(value: JsonValue) -> bytes:
    """A value as it is stored. Raises StepError for what is no JSON, and for what is too large."""
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    except (TypeError, ValueError, RecursionError) as error:
        raise StepError(f"the output is no JSON value: {one_line(str(error))}") from None
    if len(data) > MAX_VALUE_BYTES:
        raise StepError(f"the output is larger than {MAX_VALUE_BYTES} bytes")
    return data


def decode(data: bytes) -> JsonValue:
    """The value that `encode` stored."""
    value: JsonValue = json.loads(data)
    return value


def prompt_of(step: LlmStep, values: Mapping[str, JsonValue]) -> tuple[str, str]:
    """The system text and the prompt, rendered. Raises StepError."""
    render = rendered if step.template is TemplateKind.JINJA else filled
    return render(step.system, values), render(step.prompt, values)


def asked_again(prompt: str, error: str) -> str:
    """The prompt of a step whose last answer could not be used, empty `error`: the prompt as it is."""
    return f"{prompt}\n\nYour last answer could not be used: {error}" if error else prompt


def elements(step: ForEachStep, values: Mapping[str, JsonValue]) -> list[JsonValue]:
    """What a for_each goes through. Raises StepError."""
    found = step.items if isinstance(step.items, list) else value_of(step.items, values)
    if not isinstance(found, list):
        raise StepError(f"items: a list is expected, not {kind_of(found)}; split or json_parse makes one of a text")
    if len(found) > MAX_ITEMS:
        raise StepError(f"items: {len(found)} elements; at most {MAX_ITEMS} are allowed")
    return found


def assembled(parts: Mapping[str, JsonValue], *, as_list: bool) -> JsonValue:
    """The output of a step that holds others, of what they gave."""
    return list(parts.values()) if as_list else dict(parts)


def element(value: Any, index: int) -> JsonValue:
    """One element of a stored list."""
    found: JsonValue = value[index]
    return found
