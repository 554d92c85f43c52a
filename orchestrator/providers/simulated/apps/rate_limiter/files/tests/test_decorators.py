"""The decorators from a user's point of view: limits, keys, waiting, async."""

import asyncio
from typing import Any

import pytest

from rate_limiter import RateLimitExceeded, rate_limit, sliding_window, token_bucket


class ManualClock:
    """A clock whose sleeps move it on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


def test_calls_pass_through_until_the_limit() -> None:
    clock = ManualClock()

    @token_bucket(rate=1.0, capacity=2, clock=clock)
    def add(a: int, b: int = 0) -> int:
        """Add two numbers."""
        return a + b

    assert add(1, b=2) == 3
    assert add(2, 3) == 5
    with pytest.raises(RateLimitExceeded) as caught:
        add(0)
    assert caught.value.retry_after_s == pytest.approx(1.0)
    assert "add" in str(caught.value)
    clock.now += 1.0
    assert add(4) == 4
    assert add.__name__ == "add"
    assert add.__doc__ == "Add two numbers."


def test_waiting_sleeps_exactly_as_long_as_needed() -> None:
    clock = ManualClock()

    @sliding_window(limit=1, window_s=2.0, clock=clock, wait=True, sleep=clock.sleep)
    def ping() -> float:
        return clock.now

    assert [ping(), ping(), ping()] == [0.0, 2.0, 4.0]
    assert clock.slept == [2.0, 2.0]


def test_each_key_has_its_own_limit() -> None:
    @sliding_window(limit=1, window_s=60.0, clock=ManualClock(), key=lambda user: user)
    def greet(user: str) -> str:
        return f"hello {user}"

    assert greet("ann") == "hello ann"
    assert greet("bob") == "hello bob"
    with pytest.raises(RateLimitExceeded):
        greet("ann")


def test_two_functions_do_not_share_a_limit() -> None:
    limit = token_bucket(rate=1.0, capacity=1, clock=ManualClock())

    @limit
    def one() -> int:
        return 1

    @limit
    def two() -> int:
        return 2

    assert (one(), two()) == (1, 2)


def test_async_functions_are_limited_and_stay_async() -> None:
    clock = ManualClock()

    @token_bucket(rate=2.0, capacity=1, clock=clock)
    async def fetch(value: str) -> str:
        await asyncio.sleep(0)
        return value.upper()

    async def scenario() -> None:
        assert await fetch("a") == "A"
        with pytest.raises(RateLimitExceeded):
            await fetch("b")
        clock.now += 0.5
        assert await fetch("c") == "C"

    assert asyncio.iscoroutinefunction(fetch)
    asyncio.run(scenario())


def test_async_waiting_does_not_block_the_loop() -> None:
    clock = ManualClock()

    @token_bucket(
        rate=1.0, capacity=1, clock=clock, wait=True, async_sleep=clock.async_sleep
    )
    async def tick() -> float:
        return clock.now

    async def scenario() -> list[float]:
        return [await tick() for _ in range(3)]

    assert asyncio.run(scenario()) == [0.0, 1.0, 2.0]


def test_any_limiter_can_be_used() -> None:
    class Never:
        def try_acquire(self) -> float:
            return 7.0

    @rate_limit(Never)
    def never() -> Any:
        raise AssertionError("must not be called")

    with pytest.raises(RateLimitExceeded, match="7.000"):
        never()


def test_wrong_arguments_fail_where_the_decorator_is_written() -> None:
    with pytest.raises(ValueError, match="rate"):
        token_bucket(rate=0, capacity=1)
    with pytest.raises(ValueError, match="window_s"):
        sliding_window(limit=1, window_s=0)
