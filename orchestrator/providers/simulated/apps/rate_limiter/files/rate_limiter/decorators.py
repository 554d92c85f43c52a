"""Decorators that limit how often a function may be called."""

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, ParamSpec, TypeVar, cast

from rate_limiter.errors import RateLimitExceeded
from rate_limiter.limiter import Clock, Limiter, default_clock
from rate_limiter.sliding_window import SlidingWindow
from rate_limiter.token_bucket import TokenBucket

P = ParamSpec("P")
R = TypeVar("R")


class _Limiters:
    """One limiter per key, made when the key is first seen."""

    def __init__(
        self, make: Callable[[], Limiter], key: Callable[..., Hashable] | None
    ) -> None:
        self._make = make
        self._key = key
        self._by_key: dict[Hashable, Limiter] = {}
        self._lock = threading.Lock()

    def for_call(self, *args: Any, **kwargs: Any) -> Limiter:
        key = self._key(*args, **kwargs) if self._key else None
        with self._lock:
            if key not in self._by_key:
                self._by_key[key] = self._make()
            return self._by_key[key]


def rate_limit(
    make: Callable[[], Limiter],
    *,
    key: Callable[..., Hashable] | None = None,
    wait: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit a function, sync or async, with limiters from `make`.

    `key` is called with the arguments of the call: each value has a limit of its own.
    With `wait` a call that comes too early sleeps; otherwise it raises
    RateLimitExceeded. `sleep` and `async_sleep` can be replaced in tests.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        limiters = _Limiters(make, key)
        name = getattr(function, "__qualname__", repr(function))

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def async_wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                limiter = limiters.for_call(*args, **kwargs)
                while (delay_s := limiter.try_acquire()) > 0:
                    if not wait:
                        raise RateLimitExceeded(name, delay_s)
                    await async_sleep(delay_s)
                return await function(*args, **kwargs)

            return cast(Callable[P, R], async_wrapper)

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            limiter = limiters.for_call(*args, **kwargs)
            while (delay_s := limiter.try_acquire()) > 0:
                if not wait:
                    raise RateLimitExceeded(name, delay_s)
                sleep(delay_s)
            return function(*args, **kwargs)

        return wrapper

    return decorate


def token_bucket(
    rate: float, capacity: int, *, clock: Clock = default_clock, **options: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit to `rate` calls per second with bursts of `capacity`.

    `options` are those of `rate_limit`.
    """
    TokenBucket(rate, capacity, clock)  # wrong arguments fail here, not at a call
    return rate_limit(lambda: TokenBucket(rate, capacity, clock), **options)


def sliding_window(
    limit: int, window_s: float, *, clock: Clock = default_clock, **options: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit to `limit` calls in any `window_s` seconds.

    `options` are those of `rate_limit`.
    """
    SlidingWindow(limit, window_s, clock)  # wrong arguments fail here, not at a call
    return rate_limit(lambda: SlidingWindow(limit, window_s, clock), **options)
