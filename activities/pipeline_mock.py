"""The vendor behind `--mock`: answers as documented, without a model, free and at once."""

from collections.abc import Callable

from orchestrator.contracts.pipeline import MOCK_VENDOR
from orchestrator.pipelines.mock import estimated_usage, mock_answer
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest


class MockVendor:
    """A Provider whose models echo their prompt; where a schema is asked for, they answer with an example of it."""

    vendor = MOCK_VENDOR

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """The mock's answer. Its usage is words, at least ten for both together."""
        text = mock_answer(request.model, request.prompt, request.json_schema)
        on_text(text)
        usage = estimated_usage(request.prompt, text)
        return ModelAnswer(text=text, usage=usage, finish=FinishReason.STOP)

    async def aclose(self) -> None:
        """There is no connection to close."""
