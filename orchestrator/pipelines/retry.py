"""Retries, fallbacks and a circuit breaker for any function: without a pipeline, in this process."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from orchestrator.domain.breaker import CircuitState
from orchestrator.domain.pipeline import BackoffStrategy, RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class RetryStrategy:
    """`max_retries` further attempts after the first. Empty `retry_on`: after any exception."""

    max_retries: int = 3
    backoff: BackoffStrategy = BackoffStrategy.EXPONENTIAL
    base_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    retry_on: tuple[type[Exception], ...] = ()

    def policy(self) -> RetryPolicy:
        """The same for a step of a pipeline, whose failures have kinds instead of types."""
        return RetryPolicy(
            max_retries=self.max_retries,
            backoff=self.backoff,
            base_delay_s=self.base_delay_seconds,
            max_delay_s=self.max_delay_seconds,
        )

    def get_delay(self, attempt: int) -> float:
        """Seconds to wait after the attempt of this number, which counts from 0."""
        return self.policy().delay_s(attempt)

    def should_retry(self, error: Exception, attempt: int) -> bool:
        """Whether the attempt of this number (from 0), which ended in `error`, is followed by another."""
        return attempt < self.max_retries and (not self.retry_on or isinstance(error, self.retry_on))


def with_retry(
    fn: Callable[..., R],
    strategy: RetryStrategy,
    *args: Any,
    sleep_fn: Callable[[float], object] = time.sleep,
    **kwargs: Any,
) -> R:
    """What `fn` gives, asked again as `strategy` says. Raises the last exception."""
    attempt = 0
    while True:
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            if not strategy.should_retry(error, attempt):
                raise
        sleep_fn(strategy.get_delay(attempt))
        attempt += 1


@dataclass
class FallbackChain:
    """Named functions, tried in their order until one succeeds."""

    options: list[tuple[str, Callable[..., Any]]] = field(default_factory=list)

    def add_option(self, name: str, fn: Callable[..., Any]) -> "FallbackChain":
        """Add one at the end. Returns the chain."""
        self.options.append((name, fn))
        return self

    def execute(self, *args: Any, **kwargs: Any) -> tuple[str, Any]:
        """Name and result of the first that succeeds. Raises RuntimeError, with the error of each, if none does."""
        if not self.options:
            raise RuntimeError("FallbackChain has no options configured")
        errors: list[Exception] = []
        for name, fn in self.options:
            try:
                return name, fn(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - a chain goes on whatever happens, and tells of it at its end
                errors.append(error)
        told = "; ".join(f"{name}: {error}" for (name, _), error in zip(self.options, errors, strict=True))
        raise RuntimeError(f"All fallback options failed: {told}") from ExceptionGroup("fallback options", errors)


class CircuitBreaker:
    """Stops calling a function that keeps failing. Safe for concurrent use.

    Opens after `failure_threshold` failures in a row. `recovery_timeout_seconds` after the last failure one call is let
    through: it closes the circuit, or opens it again.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_seconds: float = 60.0,
        time_fn: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout_seconds = recovery_timeout_seconds
        self._time = time_fn
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at_s: float | None = None  # while open
        self._probing = False

    @property
    def state(self) -> CircuitState:
        """Closed, open, or half-open once a probe may be made."""
        with self._lock:
            return self._state()

    @property
    def failure_count(self) -> int:
        """Failures in a row."""
        with self._lock:
            return self._failures

    def call(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `fn` gives. Raises RuntimeError without calling it while the circuit is open, or being probed."""
        with self._lock:
            state = self._state()
            if state is CircuitState.OPEN or (state is CircuitState.HALF_OPEN and self._probing):
                raise RuntimeError(f"Circuit breaker is OPEN after {self._failures} consecutive failures")
            probe = state is CircuitState.HALF_OPEN
            self._probing = self._probing or probe
        try:
            result = fn(*args, **kwargs)
        except Exception:
            self._failed(probe=probe)
            raise
        except BaseException:
            with self._lock:
                self._probing = self._probing and not probe
            raise
        self.reset()
        return result

    def reset(self) -> None:
        """Close the circuit and forget all failures."""
        with self._lock:
            self._failures, self._failed_at_s, self._probing = 0, None, False

    def _state(self) -> CircuitState:
        if self._failed_at_s is None:
            return CircuitState.CLOSED
        waited_s = self._time() - self._failed_at_s
        return CircuitState.HALF_OPEN if waited_s >= self.recovery_timeout_seconds else CircuitState.OPEN

    def _failed(self, *, probe: bool) -> None:
        with self._lock:
            self._failures += 1
            self._probing = self._probing and not probe
            if probe or self._failures >= self.failure_threshold:
                self._failed_at_s = self._time()
