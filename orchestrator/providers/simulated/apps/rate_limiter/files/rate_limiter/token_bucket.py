"""Token bucket: a steady rate with bursts up to the size of the bucket."""

import threading

from rate_limiter.limiter import Clock, default_clock, require_positive


class TokenBucket:
    """Permits `rate` calls per second on average, and up to `capacity` at once."""

    def __init__(
        self, rate: float, capacity: int, clock: Clock = default_clock
    ) -> None:
        require_positive("rate", rate)
        require_positive("capacity", capacity)
        self._rate = float(rate)
        self._capacity = float(capacity)
        self._clock = clock
        self._tokens = float(capacity)
        self._updated = clock()
        self._lock = threading.Lock()

    def try_acquire(self) -> float:
        """Take one token; returns 0.0, or the seconds until one is there."""
        with self._lock:
            self._refill()
            if self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0.0
            return (1.0 - self._tokens) / self._rate

    def _refill(self) -> None:
        now = self._clock()
        elapsed = max(0.0, now - self._updated)
        self._tokens = min(self._capacity, self._tokens + elapsed * self._rate)
        self._updated = now
