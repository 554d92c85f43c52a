"""Streams: fallback before the first piece, never after it; what happens when the reader goes away."""

import asyncio
from contextlib import aclosing

import pytest

from orchestrator.providers import (
    AllProvidersFailedError,
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    RateLimitError,
    TimeoutError,
)
from orchestrator.router import HealthStatus, Router
from tests.router.stand_ins import Clock, Told, router_over


def pieces_of(router: Router) -> list[str]:
    async def read() -> list[str]:
        return [piece async for piece in router.route_stream("x")]

    return asyncio.run(read())


def test_a_stream_is_the_answer_in_pieces() -> None:
    router = router_over(Clock(), [Told("a", "one two three")])
    assert pieces_of(router) == ["one", "two", "three"]
    assert router.get_metrics()["a"].successful_requests == 1


@pytest.mark.parametrize("error", [TimeoutError("t"), RateLimitError("r"), AuthenticationError("k"), ValueError("v")])
def test_before_the_first_piece_the_next_provider_takes_over(error: Exception) -> None:
    told = [Told("a", error), Told("b", "one two")]
    assert pieces_of(router_over(Clock(), told)) == ["one", "two"]
    assert len(told[0].asked) == 1


def test_after_the_first_piece_the_failure_is_raised_and_nobody_else_is_asked() -> None:
    broken = ProviderError("the stream was cut")
    told = [Told("a", "A1 A2", breaks=broken), Told("b", "B1 B2")]
    router = router_over(Clock(), told)
    got: list[str] = []

    async def read() -> None:
        async for piece in router.route_stream("x"):
            got.append(piece)

    with pytest.raises(ProviderError) as caught:
        asyncio.run(read())
    assert caught.value is broken
    assert got == ["A1"]
    assert told[1].asked == []
    assert router.get_metrics()["a"].failed_requests == 1


def test_a_passing_failure_is_retried_before_the_first_piece() -> None:
    clock = Clock()
    assert pieces_of(router_over(clock, [Told("a", TimeoutError("t"), "one two")])) == ["one", "two"]
    assert clock.slept == [0.5]


def test_all_failed_and_none_registered() -> None:
    told = [Told(name, TimeoutError("slow"), retries=0) for name in "ab"]
    with pytest.raises(AllProvidersFailedError, match="a: TimeoutError: slow; b: TimeoutError: slow"):
        pieces_of(router_over(Clock(), told))
    with pytest.raises(ProviderError, match="No providers registered"):
        pieces_of(Router())


def test_the_requests_own_fault_is_raised_at_once() -> None:
    told = [Told("a", InvalidRequestError("no")), Told("b")]
    with pytest.raises(InvalidRequestError):
        pieces_of(router_over(Clock(), told))
    assert told[1].asked == []


def test_a_reader_that_goes_away_closes_the_providers_stream_and_is_no_failure() -> None:
    told = Told("a", "one two three")
    router = router_over(Clock(), [told])

    async def read_one() -> None:
        async with aclosing(router.route_stream("x")) as pieces:
            assert await anext(pieces) == "one"

    asyncio.run(read_one())
    metrics = router.get_metrics()["a"]
    assert told.closed_streams == 1
    assert (metrics.abandoned_requests, metrics.successful_requests, metrics.failed_requests) == (1, 0, 0)


def test_a_reader_that_goes_away_after_a_piece_proves_health() -> None:
    clock = Clock()
    told = Told("a", AuthenticationError("no"), "one two")
    router = router_over(clock, [told])

    async def probe() -> None:
        with pytest.raises(AuthenticationError):
            await router.route("x")
        clock.now_s += 30
        async with aclosing(router.route_stream("x")) as pieces:
            await anext(pieces)
        assert router.get_metrics()["a"].health_status is HealthStatus.HEALTHY

    asyncio.run(probe())


def test_the_time_that_the_reader_takes_is_not_the_providers() -> None:
    router = router_over(Clock(), [Told("a", "one two three")])

    async def read_slowly() -> None:
        async for _ in router.route_stream("x"):
            await asyncio.sleep(0.05)

    asyncio.run(read_slowly())
    assert router.get_metrics()["a"].total_latency_ms < 100


def test_a_hundred_streams_at_once_keep_their_pieces_apart() -> None:
    router = router_over(Clock(), [Told(name, f"{name}1 {name}2 {name}3") for name in "abc"])

    async def read() -> str:
        return "".join([piece async for piece in router.route_stream("x")])

    async def many() -> list[str]:
        return await asyncio.gather(*(read() for _ in range(99)))

    read_all = asyncio.run(many())
    assert sorted(set(read_all)) == ["a1a2a3", "b1b2b3", "c1c2c3"]
    assert [read_all.count(text) for text in sorted(set(read_all))] == [33, 33, 33]
