"""Answers without models, for trying a pipeline without keys."""

import json
from typing import Any

from orchestrator.domain.money import Usage
from orchestrator.providers.simulated.steps import example_of

_SHOWN_CHARS = 80
_MIN_TOKENS = 10


def mock_model_call(model: str, prompt: str, context: object = None) -> str:
    """The mock's answer: it shows the first 80 characters of the prompt."""
    shown = prompt.replace("\n", " ")
    cut = shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}..."
    return f"[Mock {model} response] Processed: '{cut}'"


def mock_answer(model: str, prompt: str, schema: dict[str, Any] | None = None) -> str:
    """The mock's answer; for a schema, JSON that fits it."""
    if schema is None:
        return mock_model_call(model, prompt)
    return json.dumps(example_of(schema))


def estimated_usage(prompt: str, answer: str) -> Usage:
    """What a call used that nobody has measured: one token per word, at least 10 together."""
    given, gave = len(prompt.split()), len(answer.split())
    return Usage(input_tokens=max(given, _MIN_TOKENS - gave), output_tokens=gave)
