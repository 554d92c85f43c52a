"""What the router itself costs: `python -m bench.router`."""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator

from bench.figures import Figure, table
from orchestrator import Router
from orchestrator.providers import BaseProvider, GenerationParams, MockProvider, ProviderConfig
from orchestrator.router.strategies import STRATEGIES

CALL_AIM_US = 50.0
ROUTES_AIM_MS = 10.0
ROUTES = 200
PROVIDERS = 3
_REPEATS = 9
_CALLS = 1000


class Instant(BaseProvider):
    """Answers at once."""

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        return prompt

    async def health_check(self) -> bool:
        return True


def figures() -> Iterator[Figure]:
    """Each strategy's time per call over a provider that takes none, and that of many mock routes at once."""
    for strategy in STRATEGIES:
        values = tuple(asyncio.run(call_us(strategy)) for _ in range(_REPEATS))
        yield Figure(f"routed call, {strategy}", "us", values, CALL_AIM_US)
    for strategy in STRATEGIES:
        values = tuple(asyncio.run(routes_ms(strategy)) for _ in range(_REPEATS))
        yield Figure(f"{ROUTES} mock routes at once, {strategy}", "ms", values, ROUTES_AIM_MS)


async def call_us(strategy: str) -> float:
    """Time of a routed call beyond that of the provider's own."""
    router = Router(strategy)
    for number in range(PROVIDERS):
        router.add_provider(Instant(ProviderConfig(name=str(number))))
    provider = router.providers[0]
    for _ in range(_CALLS // 10):
        await router.route("warm")
    began_s = time.perf_counter()
    for _ in range(_CALLS):
        await provider.generate("x")
    bare_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    for _ in range(_CALLS):
        await router.route("x")
    return (time.perf_counter() - began_s - bare_s) / _CALLS * 1e6


async def routes_ms(strategy: str) -> float:
    """Processor time of concurrent routes over mocks beyond that of the mocks' own calls."""
    router = Router(strategy)
    for number in range(PROVIDERS):
        router.add_provider(MockProvider(ProviderConfig(name=str(number))))
    provider = router.providers[0]
    await router.route("warm")
    began_s = time.process_time()
    await asyncio.gather(*(provider.generate("x") for _ in range(ROUTES)))
    bare_s = time.process_time() - began_s
    began_s = time.process_time()
    await asyncio.gather(*(router.route("x") for _ in range(ROUTES)))
    return (time.process_time() - began_s - bare_s) * 1000


def main() -> int:
    """Prints the table. Exit code 0 whether or not aims are reached: figures of a busy machine say little."""
    logging.getLogger("orchestrator.router").setLevel(logging.WARNING)
    print(table(list(figures())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
