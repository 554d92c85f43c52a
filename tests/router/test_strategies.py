"""Who is asked first, and in which order the others follow."""

import asyncio
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.money import Usage
from orchestrator.providers import BaseProvider, GenerationParams, MockProvider, ProviderConfig, ProviderError
from orchestrator.providers.base import FinishReason, ModelAnswer
from orchestrator.router import HealthStatus, Router
from tests.router.stand_ins import Clock, Told, router_over

STRATEGIES = ("round-robin", "random", "first-available", "best-available", "cheapest", "fastest")


async def answers(router: Router, number: int) -> list[str]:
    return [await router.route("x") for _ in range(number)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_routes_and_falls_back(strategy: str) -> None:
    clock = Clock()
    router = router_over(clock, [Told("a", ProviderError("no"), retries=0), Told("b")], strategy)
    assert asyncio.run(router.route("x")) == "b"
    assert router.strategy == strategy


def test_another_strategy_is_refused_with_the_list_of_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"Invalid strategy: best\. Must be one of \['round-robin', 'random', "):
        Router(strategy="best")


def test_providers_keep_their_order_and_names_are_unique() -> None:
    router = Router()
    first, second = Told("a"), Told("b")
    router.add_provider(first)
    router.add_provider(second)
    assert router.providers == [first, second]
    with pytest.raises(ValueError, match="Provider with name 'a' already exists"):
        router.add_provider(Told("a"))


def test_round_robin_takes_turns() -> None:
    router = router_over(Clock(), [Told("a"), Told("b"), Told("c")])
    assert asyncio.run(answers(router, 7)) == ["a", "b", "c", "a", "b", "c", "a"]


@given(providers=st.integers(1, 6), requests=st.integers(0, 60))
def test_round_robin_shares_concurrent_requests_evenly(providers: int, requests: int) -> None:
    told = [Told(str(number)) for number in range(providers)]
    router = router_over(Clock(), told)

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(router.route("x") for _ in range(requests)))

    shares = Counter(asyncio.run(all_at_once()))
    assert sum(shares.values()) == requests
    assert all(requests // providers <= shares[str(n)] <= -(-requests // providers) for n in range(providers))


def test_the_share_of_a_dead_provider_is_shared_by_the_others() -> None:
    clock = Clock()
    dead = Told("a", ProviderError("down"))
    router = router_over(clock, [dead, Told("b"), Told("c")])

    async def one_each_100_ms() -> Counter[str]:
        shares: Counter[str] = Counter()
        for _ in range(280):
            shares[await router.route("x")] += 1
            clock.now_s += 0.1
        return shares

    shares = asyncio.run(one_each_100_ms())
    assert abs(shares["b"] - shares["c"]) <= 4
    assert len(dead.asked) == 3


def test_random_draws_from_the_generator_that_it_is_given() -> None:
    async def drawn(seed: int) -> list[str]:
        router = Router("random", random=Random(seed))
        for name in "abc":
            router.add_provider(Told(name))
        return await answers(router, 60)

    assert asyncio.run(drawn(1)) == asyncio.run(drawn(1)) != asyncio.run(drawn(2))
    assert set(asyncio.run(drawn(1))) == {"a", "b", "c"}


def test_fallback_goes_round_from_where_it_started() -> None:
    seen: list[str] = []

    class Noted(Told):
        async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
            seen.append(self.config.name)
            raise ProviderError("no")

    router = router_over(Clock(), [Noted(name, retries=0) for name in "abc"])
    for _ in range(2):
        with pytest.raises(ProviderError):
            asyncio.run(router.route("x"))
    assert seen == ["a", "b", "c", "b", "c", "a"]


def test_first_available_skips_the_unhealthy() -> None:
    down, up = Told("a", healthy=False), Told("b")
    router = router_over(Clock(), [down, up], "first-available")
    assert asyncio.run(answers(router, 3)) == ["b", "b", "b"]
    assert down.asked == []


def test_all_unhealthy_are_tried_from_the_first_on() -> None:
    first = Told("a", ProviderError("no"), healthy=False, retries=0)
    router = router_over(Clock(), [first, Told("b", healthy=False)], "first-available")
    assert asyncio.run(router.route("x")) == "b"
    assert len(first.asked) == 1


def test_a_check_that_raises_says_no() -> None:
    router = router_over(Clock(), [Told("a", healthy=RuntimeError("bug")), Told("b")], "first-available")
    assert asyncio.run(router.route("x")) == "b"


def test_health_checks_are_shared_and_kept_for_a_while() -> None:
    clock = Clock()
    told = [Told("a", healthy=False), Told("b")]
    router = router_over(clock, told, "first-available")

    async def many() -> None:
        await asyncio.gather(*(router.route("x") for _ in range(50)))

    asyncio.run(many())
    assert [each.checks for each in told] == [1, 1]
    clock.now_s += 29
    asyncio.run(many())
    assert [each.checks for each in told] == [1, 1]
    clock.now_s += 2
    told[0].healthy = True
    assert asyncio.run(router.route("x")) == "a"
    assert [each.checks for each in told] == [2, 2]


def test_health_checks_run_at_the_same_time() -> None:
    async def both() -> None:
        gate = asyncio.Event()
        told = [Told("a", healthy=False), Told("b", healthy=False), Told("c")]
        for each in told:
            each.gate = gate
        router = router_over(Clock(), told, "first-available")
        asked = asyncio.create_task(router.route("x"))
        for each in told:
            await each.called(checks=1)
        gate.set()
        assert await asked == "c"

    asyncio.run(asyncio.wait_for(both(), 10))


def test_a_caller_that_goes_away_does_not_end_the_check_of_others() -> None:
    async def both() -> None:
        told = Told("a")
        told.gate = asyncio.Event()
        router = router_over(Clock(), [told], "first-available")
        first, second = (asyncio.create_task(router.route("x")) for _ in range(2))
        await told.called(checks=1)
        first.cancel()
        await asyncio.wait((first,))
        told.gate.set()
        assert await second == "a"
        assert told.checks == 1

    asyncio.run(asyncio.wait_for(both(), 10))


def recorded(router: Router, **latencies_ms: float) -> None:
    for name, latency_ms in latencies_ms.items():
        router.get_metrics()[name].record_success(latency_ms)


@pytest.mark.parametrize("strategy", ["fastest", "best-available"])
def test_the_lower_latency_is_preferred(strategy: str) -> None:
    router = router_over(Clock(), [Told("a"), Told("b"), Told("c")], strategy)
    recorded(router, a=300.0, b=100.0, c=200.0)
    assert asyncio.run(router.route("x")) == "b"


@pytest.mark.parametrize("strategy", ["fastest", "best-available"])
def test_who_was_not_measured_of_late_is_tried_one_request_at_a_time(strategy: str) -> None:
    async def explored() -> None:
        clock = Clock()
        fresh = Told("b")
        fresh.gate = asyncio.Event()
        router = router_over(clock, [Told("a"), fresh], strategy)
        recorded(router, a=100.0)
        first = asyncio.create_task(router.route("x"))
        await fresh.called(asked=1)
        assert await router.route("x") == "a"
        fresh.gate.set()
        assert await first == "b"
        clock.now_s += 61
        assert {await router.route("x"), await router.route("x")} == {"a", "b"}

    asyncio.run(asyncio.wait_for(explored(), 10))


def test_best_available_prefers_health_to_speed() -> None:
    clock = Clock()
    router = router_over(clock, [Told("a"), Told("b")], "best-available")
    recorded(router, a=10.0, b=900.0)
    for _ in range(4):
        router.get_metrics()["a"].record_error()
    assert router.get_metrics()["a"].health_status is HealthStatus.UNHEALTHY
    assert asyncio.run(router.route("x")) == "b"


def test_cheapest_counts_the_price_of_the_request_and_puts_unknown_prices_last() -> None:
    router = Router("cheapest")
    router.add_provider(Priced("unknown", ""))
    router.add_provider(Priced("dear", "openai", "gpt-6.1-sol"))
    router.add_provider(Priced("cheap", "openai", "gpt-6-luna"))
    assert asyncio.run(router.route("x")) == "cheap"
    router.add_provider(MockProvider(ProviderConfig(name="free")))
    assert asyncio.run(router.route("x")) == "Mock response to: x"


class Priced(BaseProvider):
    """Answers with its name, at the price of a vendor's model."""

    def __init__(self, name: str, vendor: str, model: str | None = None) -> None:
        super().__init__(ProviderConfig(name=name, model=model))
        self.vendor = vendor  # type: ignore[misc]

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        return (await self.answer(prompt, params)).text

    async def answer(self, prompt: str, params: GenerationParams | None = None) -> ModelAnswer:
        usage = Usage(input_tokens=1_000_000, output_tokens=0)
        return ModelAnswer(text=self.config.name, usage=usage, finish=FinishReason.STOP)

    async def health_check(self) -> bool:
        return True
