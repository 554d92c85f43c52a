"""A provider without a vendor: for trying the router and for tests of programs that use it."""

import asyncio
import re
from collections.abc import AsyncIterator

from orchestrator.providers.errors import AuthenticationError, InvalidRequestError, RateLimitError, TimeoutError
from orchestrator.providers.generation import BaseProvider, GenerationParams

ANSWER_DELAY_S = 0.1
WORD_DELAY_S = 0.05


class MockProvider(BaseProvider):
    """Behaves as `config.model` says; any other name is like `mock-normal`.

    | model | behaviour |
    |---|---|
    | `mock-normal` | answers `Mock response to: <prompt>` after 0.1 s |
    | `mock-timeout`, `mock-ratelimit`, `mock-auth-error`, `mock-invalid-request` | raises that error at once |
    | with `unhealthy` in its name | answers as `mock-normal`, but its health check says no |

    `GenerationParams.max_tokens` cuts the answer after so many characters. A stream gives the words of the answer
    with 0.05 s between them; joined they are the whole answer. Nothing costs anything.
    """

    vendor = "mock"

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        """The mock's answer, or the error of its mode."""
        self._raise_error_of_mode()
        await asyncio.sleep(ANSWER_DELAY_S)
        text = f"Mock response to: {prompt}"
        return text if params is None else text[: params.max_tokens]

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        """The mock's answer, word by word with the white space that follows each."""
        text = await self.generate(prompt, params)
        for number, piece in enumerate(re.findall(r"\s*\S+\s*|\s+", text)):
            if number:
                await asyncio.sleep(WORD_DELAY_S)
            yield piece

    async def health_check(self) -> bool:
        """False for models with `unhealthy` in their name."""
        return "unhealthy" not in self._mode

    @property
    def _mode(self) -> str:
        return self.model.lower()

    def _raise_error_of_mode(self) -> None:
        match self._mode:
            case "mock-timeout":
                raise TimeoutError("Mock timeout simulation")
            case "mock-ratelimit":
                raise RateLimitError("Mock rate limit simulation")
            case "mock-auth-error":
                raise AuthenticationError("Mock authentication failure")
            case "mock-invalid-request":
                raise InvalidRequestError("Mock invalid request")
