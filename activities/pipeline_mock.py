"""The vendor behind `--mock`: answers as documented, without a model, free and at once."""

import json
from collections.abc import Callable

from orchestrator.contracts.pipeline import MOCK_VENDOR
from orchestrator.domain.money import Usage
from orchestrator.pipelines.mock import mock_model_call
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest
from orchestrator.providers.simulated.steps import example_of

_MIN_TOKENS = 10  # that a call is taken to have used


class MockVendor:
    """A Provider whose models echo their prompt; where a schema is asked for, they answer with an example of it."""

    vendor = MOCK_VENDOR

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """The mock's answer. Its usage is words, at least ten for both together."""
        if request.json_schema is None:
            text = mock_model_call(request.model, request.prompt)
        else:
            text = json.dumps(example_of(request.json_schema))
        on_text(text)
        asked = len(request.prompt.split())
        answered = max(len(text.split()), _MIN_TOKENS - asked)
        usage = Usage(input_tokens=asked, output_tokens=answered)
        return ModelAnswer(text=text, usage=usage, finish=FinishReason.STOP)

    async def aclose(self) -> None:
        """There is no connection to close."""
