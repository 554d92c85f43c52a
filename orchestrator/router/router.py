"""The router: one interface over several providers, with strategies, fallback, retries and metrics."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING

from orchestrator.providers.base import FinishReason, ModelAnswer, ProviderError
from orchestrator.providers.generation import BaseProvider, GenerationParams
from orchestrator.router.call import RoutedCall
from orchestrator.router.health import HealthChecks
from orchestrator.router.metrics import ProviderMetrics
from orchestrator.router.pricing import PriceList
from orchestrator.router.slot import Slot
from orchestrator.router.strategies import STRATEGIES

if TYPE_CHECKING:
    from orchestrator.router.prometheus import MetricsServer


class Router:
    """Sends each request to the provider that `strategy` prefers, and to the next ones where that fails.

    Strategies: round-robin, random, first-available, best-available, cheapest, fastest. `random`, `clock` (seconds,
    monotonic) and `sleep` are there for tests. Raises ValueError for another strategy.
    """

    def __init__(
        self,
        strategy: str = "round-robin",
        *,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"Invalid strategy: {strategy}. Must be one of {list(STRATEGIES)}")
        self.strategy = strategy
        self._strategy = STRATEGIES[strategy](HealthChecks(clock), random or Random())
        self._clock = clock
        self._sleep = sleep
        self._prices = PriceList()
        self._slots: list[Slot] = []
        self._metrics_server: MetricsServer | None = None

    @property
    def providers(self) -> list[BaseProvider]:
        """The providers in the order in which they were added."""
        return [slot.provider for slot in self._slots]

    def add_provider(self, provider: BaseProvider) -> None:
        """Add a provider behind the others. Raises ValueError where its name is taken."""
        name = provider.config.name
        if any(slot.name == name for slot in self._slots):
            raise ValueError(f"Provider with name '{name}' already exists")
        self._slots.append(Slot(provider, self._prices.spec_of(provider), self._clock))

    def get_metrics(self) -> dict[str, ProviderMetrics]:
        """Metrics by name of the provider. The dictionary is a copy, its values go on changing."""
        return {slot.name: slot.metrics for slot in self._slots}

    async def route(self, prompt: str, params: GenerationParams | None = None) -> str:
        """The answer of the first provider that gives one.

        A provider that fails is followed by the next; a passing failure is retried after a backoff. Raises
        InvalidRequestError where a vendor does not take the request as such (400, 422), AllProvidersFailedError
        with every cause where all of several fail, the provider's own error where there is but one.
        """
        call = await self._call(prompt, params, streaming=False)
        while True:
            attempt = await call.next()
            try:
                answer = await attempt.slot.provider.answer(prompt, params)
            except Exception as error:  # noqa: BLE001 - booked, and raised once nobody is left to ask
                call.failed(attempt, error)
            except BaseException:
                attempt.abandoned(alive=False)
                raise
            else:
                attempt.succeeded(answer)
                return answer.text

    async def route_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncGenerator[str]:
        """The answer in pieces.

        Until the first piece failures are handled as by `route`; after it they are raised, and nobody else is asked.
        Closing the generator, or cancelling its task, closes the connection to the vendor.
        """
        call = await self._call(prompt, params, streaming=True)
        while True:
            attempt = await call.next()
            answering = False
            answer = ModelAnswer(text="", usage=None, finish=FinishReason.STOP)
            try:
                async with aclosing(attempt.slot.provider.answer_stream(prompt, params)) as parts:
                    async for part in parts:
                        if isinstance(part, ModelAnswer):
                            answer = part
                        elif part:
                            answering = True
                            given_s = time.perf_counter()
                            yield part
                            attempt.idle(time.perf_counter() - given_s)
            except Exception as error:  # noqa: BLE001 - booked, and raised once nobody is left to ask
                call.failed(attempt, error, answering=answering)
            except BaseException:
                attempt.abandoned(alive=answering)
                raise
            else:
                attempt.succeeded(answer)
                return

    async def start_metrics_server(self, port: int = 9090, host: str = "0.0.0.0") -> int:
        """Serve the metrics for Prometheus at `/metrics`; port 0 takes a free one. Returns the port.

        Raises RuntimeError where the server runs, OSError where the port is taken, ImportError without the extra
        `prometheus`.
        """
        if self._metrics_server is not None:
            raise RuntimeError("the metrics server is already running")
        from orchestrator.router.prometheus import MetricsServer

        self._metrics_server = MetricsServer(lambda: self._slots, host, port)
        return self._metrics_server.port

    async def stop_metrics_server(self) -> None:
        """Stop serving metrics, if they are served."""
        if self._metrics_server is not None:
            server, self._metrics_server = self._metrics_server, None
            await asyncio.to_thread(server.stop)

    async def aclose(self) -> None:
        """Stop serving metrics and close the connections of all providers."""
        await self.stop_metrics_server()
        for slot in self._slots:
            await slot.provider.aclose()

    async def __aenter__(self) -> "Router":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(self, prompt: str, params: GenerationParams | None, *, streaming: bool) -> RoutedCall:
        """Providers that may be asked now share the load among themselves; the others come behind them."""
        if not self._slots:
            raise ProviderError("No providers registered")
        now_s = self._clock()
        ready = [slot for slot in self._slots if slot.ready(now_s)]
        order = await self._strategy.order(ready or self._slots, prompt, params)
        if len(order) < len(self._slots):
            order = [*order, *(slot for slot in self._slots if slot not in order)]
        return RoutedCall(order, self._clock, self._sleep, streaming=streaming)
