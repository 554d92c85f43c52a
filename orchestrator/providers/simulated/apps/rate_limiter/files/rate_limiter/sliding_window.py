"""Sliding window: never more than a number of calls in any stretch of time."""

import threading
from collections import deque

from rate_limiter.limiter import Clock, default_clock, require_positive


class SlidingWindow:
    """Permits `limit` calls in any `window_s` seconds."""

    def __init__(
        self, limit: int, window_s: float, clock: Clock = default_clock
    ) -> None:
        require_positive("limit", limit)
        require_positive("window_s", window_s)
        self._limit = int(limit)
        self._window_s = float(window_s)
        self._clock = clock
        self._calls: deque[float] = deque()
        self._lock = threading.Lock()

    def try_acquire(self) -> float:
        """Record one call; returns 0.0, or the seconds until one ages out."""
        with self._lock:
            now = self._clock()
            while self._calls and now - self._calls[0] >= self._window_s:
                self._calls.popleft()
            if len(self._calls) < self._limit:
                self._calls.append(now)
                return 0.0
            return self._window_s - (now - self._calls[0])
