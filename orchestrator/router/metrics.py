"""What is known about a provider from the requests that went to it."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from orchestrator.domain.money import usd

LATENCY_WINDOW = 100  # answers in the rolling average
OUTCOME_WINDOW_S = 60
MIN_REQUESTS = 5  # in the window, before its share of errors says anything
MIN_LATENCIES = 20
DEGRADED_ERROR_RATE = 0.3
UNHEALTHY_ERROR_RATE = 0.6
SLOWDOWN = 2.0  # times the average of all answers
LATENCY_BUCKETS_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class HealthStatus(StrEnum):
    """How well a provider serves at present."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class ProviderMetrics:
    """Counters of one provider since it was added, and its recent latency and errors.

    Latency counts answers only. Tokens and cost are from the usage that the vendor reported: an answer without a
    report adds none. `abandoned_requests` were neither answered nor failed: the caller went away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.successful_requests = 0
        self.failed_requests = 0
        self.abandoned_requests = 0
        self.total_latency_ms = 0.0
        self.total_prompt_tokens = 0
        self.total_completion_tokens = 0
        self.total_cost_micro = 0  # micro-USD
        self.circuit_open = False  # too many failures: no requests, or one to see whether it is well again
        self.latency_counts = [0] * (len(LATENCY_BUCKETS_S) + 1)  # answers per bucket, the last without a limit
        self._clock = clock
        self._latencies: deque[float] = deque()
        self._latency_sum = 0.0
        self._measured_at_s = float("-inf")
        self._seconds: deque[list[int]] = deque()  # second, requests, errors
        self._recent_requests = self._recent_errors = 0

    @property
    def total_requests(self) -> int:
        """All that have ended."""
        return self.successful_requests + self.failed_requests + self.abandoned_requests

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.total_prompt_tokens + self.total_completion_tokens

    @property
    def total_cost(self) -> float:
        """USD."""
        return usd(self.total_cost_micro)

    @property
    def success_rate(self) -> float:
        """Share of answers among answers and failures; 0 before the first."""
        decided = self.successful_requests + self.failed_requests
        return self.successful_requests / decided if decided else 0.0

    @property
    def avg_latency_ms(self) -> float:
        """Of all answers; 0 before the first."""
        return self.total_latency_ms / self.successful_requests if self.successful_requests else 0.0

    @property
    def rolling_avg_latency_ms(self) -> float | None:
        """Of the last 100 answers, None before the first."""
        return self._latency_sum / len(self._latencies) if self._latencies else None

    @property
    def recent_latency_ms(self) -> float | None:
        """The rolling average if the last answer came within the last minute, else None: vendors change."""
        stale = self._clock() - self._measured_at_s > OUTCOME_WINDOW_S
        return None if stale else self.rolling_avg_latency_ms

    @property
    def recent_error_rate(self) -> float:
        """Share of errors among the requests of the last minute."""
        requests, errors = self._recent()
        return errors / requests if requests else 0.0

    @property
    def health_status(self) -> HealthStatus:
        """Unhealthy while the circuit is open; else by errors of the last minute and by slowdown."""
        if self.circuit_open:
            return HealthStatus.UNHEALTHY
        requests, errors = self._recent()
        rate = errors / requests if requests >= MIN_REQUESTS else 0.0
        if rate >= UNHEALTHY_ERROR_RATE:
            return HealthStatus.UNHEALTHY
        if rate >= DEGRADED_ERROR_RATE:
            return HealthStatus.DEGRADED
        recent_ms = self.recent_latency_ms
        slow = recent_ms is not None and recent_ms > SLOWDOWN * self.avg_latency_ms
        return HealthStatus.DEGRADED if slow and self.successful_requests >= MIN_LATENCIES else HealthStatus.HEALTHY

    def record_success(
        self, latency_ms: float, prompt_tokens: int = 0, completion_tokens: int = 0, cost_micro: int = 0
    ) -> None:
        """An answer; `cost_micro` in micro-USD."""
        self.successful_requests += 1
        self.total_latency_ms += latency_ms
        self._bill(prompt_tokens, completion_tokens, cost_micro)
        self.latency_counts[bisect_left(LATENCY_BUCKETS_S, latency_ms / 1000)] += 1
        self._latencies.append(latency_ms)
        self._latency_sum += latency_ms
        if len(self._latencies) > LATENCY_WINDOW:
            self._latency_sum -= self._latencies.popleft()
        self._measured_at_s = self._clock()
        self._count(self._measured_at_s, error=False)

    def record_error(self, prompt_tokens: int = 0, completion_tokens: int = 0, cost_micro: int = 0) -> None:
        """A failure, perhaps one that was billed: an answer that could not be used."""
        self.failed_requests += 1
        self._bill(prompt_tokens, completion_tokens, cost_micro)
        self._count(self._clock(), error=True)

    def record_abandoned(self) -> None:
        """A request whose caller went away."""
        self.abandoned_requests += 1

    def _bill(self, prompt_tokens: int, completion_tokens: int, cost_micro: int) -> None:
        self.total_prompt_tokens += prompt_tokens
        self.total_completion_tokens += completion_tokens
        self.total_cost_micro += cost_micro

    def _count(self, now_s: float, *, error: bool) -> None:
        second = int(now_s)
        if not self._seconds or self._seconds[-1][0] != second:
            self._recent()  # forgets, so that what is kept stays small where nobody asks
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += error
        self._recent_requests += 1
        self._recent_errors += error

    def _recent(self) -> tuple[int, int]:
        """Requests and errors of the last minute."""
        oldest_s = self._clock() - OUTCOME_WINDOW_S
        while self._seconds and self._seconds[0][0] <= oldest_s:
            _, requests, errors = self._seconds.popleft()
            self._recent_requests -= requests
            self._recent_errors -= errors
        return self._recent_requests, self._recent_errors
