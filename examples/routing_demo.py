"""What the router does, shown without keys and without cost: `python examples/routing_demo.py`."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from orchestrator import Router
from orchestrator.providers import GenerationParams, MockProvider, ProviderConfig, ProviderError

STRATEGIES = ("round-robin", "random", "first-available", "best-available", "cheapest", "fastest")


class Named(MockProvider):
    """A mock that signs its answers, so that one sees who gave them."""

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        return f"{self.config.name}: {await super().generate(prompt, params)}"


class Breaking(Named):
    """A mock whose stream breaks off after its second word."""

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        number = 0
        async for word in super().generate_stream(prompt, params):
            if number == 2:
                raise ProviderError("the stream was cut")
            number += 1
            yield word


def router_of(strategy: str, **models: str) -> Router:
    """A router over mocks: the name and the mode of each."""
    router = Router(strategy=strategy)
    for name, model in models.items():
        router.add_provider(Named(ProviderConfig(name=name, model=model, max_retries=1)))
    return router


def title(text: str) -> None:
    """A heading."""
    print(f"\n{text}\n{'-' * len(text)}")


async def ask(router: Router, prompt: str) -> None:
    """One request, and what came of it."""
    began_s = time.perf_counter()
    try:
        outcome = await router.route(prompt)
    except ProviderError as error:
        outcome = f"{type(error).__name__}: {error}"
    print(f"  {(time.perf_counter() - began_s) * 1000:5.0f} ms  {outcome}")


async def strategies() -> None:
    """Who is asked first."""
    for strategy in STRATEGIES:
        title(f"Strategy {strategy}: north is unhealthy but answers, south and west are well")
        router = router_of(strategy, north="mock-unhealthy", south="mock-normal", west="mock-normal")
        for number in range(1, 4):
            await ask(router, f"request {number}")


async def fallback() -> None:
    """What happens when providers fail."""
    title("Fallback: north times out, south is busy, west answers")
    router = router_of("round-robin", north="mock-timeout", south="mock-ratelimit", west="mock-normal")
    await ask(router, "who is there?")
    title("All fail: one error names every cause, and the next request asks nobody whose circuit is open")
    router = router_of("round-robin", north="mock-auth-error", south="mock-auth-error")
    await ask(router, "anybody?")
    await ask(router, "anybody now?")
    title("A request that is wrong in itself goes to one provider only")
    await ask(router_of("round-robin", north="mock-invalid-request", south="mock-normal"), "?")


async def streams() -> None:
    """Streams, whole and broken."""
    title("Stream: north fails before its first word, south takes over")
    router = router_of("round-robin", north="mock-timeout", south="mock-normal")
    async for piece in router.route_stream("word by word"):
        print(f"  {piece!r}")
    title("Stream: north breaks off, and nobody else's words are mixed in")
    router = Router()
    router.add_provider(Breaking(ProviderConfig(name="north")))
    router.add_provider(Named(ProviderConfig(name="south")))
    try:
        async for piece in router.route_stream("word by word"):
            print(f"  {piece!r}")
    except ProviderError as error:
        print(f"  {type(error).__name__}: {error}")


async def measured() -> None:
    """Many requests at once, and the metrics."""
    title("200 requests at once, and what the router counted")
    router = router_of("round-robin", north="mock-normal", south="mock-normal", west="mock-auth-error")
    began_s = time.perf_counter()
    await asyncio.gather(*(router.route(f"request {number}") for number in range(200)))
    print(f"  {(time.perf_counter() - began_s) * 1000:5.0f} ms together")
    for name, metrics in router.get_metrics().items():
        print(
            f"  {name:5}  {metrics.successful_requests:3} answered  {metrics.failed_requests:3} failed"
            f"  {metrics.avg_latency_ms:5.0f} ms  {metrics.health_status}"
        )


async def main() -> None:
    """All scenes."""
    logging.getLogger("orchestrator.router").setLevel(logging.ERROR)  # the demo shows failures itself
    await strategies()
    await fallback()
    await streams()
    await measured()


if __name__ == "__main__":
    asyncio.run(main())
