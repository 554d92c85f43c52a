"""What the tests of the router share: providers that do as they are told, and a clock that is set by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from orchestrator.providers import BaseProvider, GenerationParams, ProviderConfig
from orchestrator.router import Router

Step = str | Exception
"""An answer, or an error."""


class Clock:
    """Seconds that pass when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class Told(BaseProvider):
    """Answers with `steps` one after the other, the last one for ever. Streams the words of an answer.

    `healthy` may be an error: then the check raises it. A stream raises `breaks` after its first word.
    """

    def __init__(
        self,
        name: str,
        *steps: Step,
        healthy: bool | Exception = True,
        breaks: Exception | None = None,
        retries: int = 3,
    ) -> None:
        super().__init__(ProviderConfig(name=name, max_retries=retries))
        self.steps: list[Step] = list(steps) or [name]
        self.healthy = healthy
        self.breaks = breaks
        self.asked: list[tuple[str, GenerationParams | None]] = []
        self.checks = 0
        self.closed_streams = 0
        self.gate: asyncio.Event | None = None  # answers and checks wait for it
        self._called = asyncio.Event()

    async def called(self, *, asked: int = 0, checks: int = 0) -> None:
        """Wait for so many requests and health checks since the beginning."""
        while len(self.asked) < asked or self.checks < checks:
            self._called.clear()
            await self._called.wait()

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        self.asked.append((prompt, params))
        self._called.set()
        if self.gate is not None:
            await self.gate.wait()
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        try:
            text = await self.generate(prompt, params)
            for word in text.split():
                yield word
                if self.breaks is not None:
                    raise self.breaks
        finally:
            self.closed_streams += 1

    async def health_check(self) -> bool:
        self.checks += 1
        self._called.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.healthy, Exception):
            raise self.healthy
        return self.healthy


def router_over(clock: Clock, providers: Sequence[BaseProvider], strategy: str = "round-robin") -> Router:
    """A router in the time of `clock`."""
    router = Router(strategy, clock=clock, sleep=clock.sleep)
    for provider in providers:
        router.add_provider(provider)
    return router
