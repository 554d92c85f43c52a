"""One provider of a router with all that the router knows about it."""

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.domain.breaker import Breakers, Circuit, CircuitState, closed, opened
from orchestrator.domain.errors import Fate
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro, usd
from orchestrator.providers.base import ModelAnswer, ProviderError
from orchestrator.providers.errors import error_of
from orchestrator.providers.generation import BaseProvider
from orchestrator.router.metrics import ProviderMetrics

logger = logging.getLogger("orchestrator.router")

_NO_USAGE = Usage()


class Slot:
    """A registered provider. Its circuits are its own: two providers of one vendor may have different keys.

    Routers are used from several threads (see `orchestrator.langchain`), so changes are made under a lock.
    """

    def __init__(self, provider: BaseProvider, spec: ModelSpec, clock: Callable[[], float]) -> None:
        self.provider = provider
        self.name = provider.config.name
        self.metrics = ProviderMetrics(clock)
        self.in_flight = 0
        self._spec = spec
        self._clock = clock
        self._breakers = Breakers()
        self._last_error: ProviderError | None = None
        self._lock = threading.Lock()

    def allowed(self, now_s: float) -> bool:
        """False while a circuit of the provider is open, or half-open with its probe under way."""
        return not self._breakers.circuits or self._breakers.allows(self._spec, now_s)

    def retry_at_s(self) -> float:
        """No request before this time, if others are ready."""
        return self._breakers.retry_at_s(self._spec) if self._breakers.circuits else 0.0

    def ready(self, now_s: float) -> bool:
        """Whether a request may leave now."""
        return not self._breakers.circuits or (self.allowed(now_s) and self.retry_at_s() <= now_s)

    def price_micro(self, input_tokens: int, output_tokens: int) -> int | None:
        """What such an answer costs in micro-USD, None where the price is not known."""
        if not self._spec.prices:
            return None
        return cost_micro(Usage(input_tokens=input_tokens, output_tokens=output_tokens), self._spec.prices)

    def refusal(self, now_s: float) -> ProviderError:
        """Why the provider is not asked now: its last error, and for how long it is left alone."""
        until_s = (max(circuit.open_until_s, circuit.retry_at_s) for circuit in self._breakers.circuits.values())
        wait_s = max(0.0, max(until_s, default=0.0) - now_s)
        why = f"not asked for another {wait_s:.0f} s" if wait_s else "not asked while another request tries it"
        if self._last_error is None:
            return ProviderError(why)
        last = self._last_error.failure
        message = f"{why}; last: {last.message}"[:200]
        return error_of(last.model_copy(update={"message": message, "fate": Fate.UNBILLED, "retry_after_s": wait_s}))

    def begin(self, *, streaming: bool) -> "Attempt":
        """A request leaves."""
        with self._lock:
            self.in_flight += 1
            if self._breakers.circuits:
                self._turn(self._breakers.on_send(self._spec))
        return Attempt(self, streaming)

    def succeeded(self, answer: ModelAnswer, latency_ms: float, *, streaming: bool) -> None:
        """A request was answered."""
        usage = answer.usage or _NO_USAGE
        cost = self._cost_micro(usage)
        with self._lock:
            self.in_flight -= 1
            if self._breakers.circuits:
                self._turn(self._breakers.on_success(self._spec))
            self.metrics.record_success(latency_ms, usage.input_tokens, usage.output_tokens, cost)
        if logger.isEnabledFor(logging.INFO):
            tokens = {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.input_tokens + usage.output_tokens,
                "cost_usd": usd(cost),
            }
            extra = self._fields(latency_ms, streaming) | tokens | {"success": True}
            logger.info("llm_request_completed", extra=extra)

    def failed(self, error: ProviderError, latency_ms: float, *, streaming: bool) -> None:
        """A request failed."""
        failure = error.failure
        with self._lock:
            self.in_flight -= 1
            self._last_error = error
            self._turn(
                self._breakers.on_failure(
                    self._spec, failure.kind, self._clock(), failure.retry_after_s, failure.message
                )
            )
            usage = error.usage or _NO_USAGE
            self.metrics.record_error(usage.input_tokens, usage.output_tokens, self._cost_micro(usage))
        extra = self._fields(latency_ms, streaming) | {"success": False, "error_type": type(error).__name__}
        logger.warning("llm_request_failed", extra=extra)

    def abandoned(self, *, alive: bool) -> None:
        """The caller went away; `alive`: after the provider had begun to answer."""
        with self._lock:
            self.in_flight -= 1
            if self._breakers.circuits:
                change = self._breakers.on_success if alive else self._breakers.on_inconclusive
                self._turn(change(self._spec))
            self.metrics.record_abandoned()

    def _cost_micro(self, usage: Usage) -> int:
        """Of a report; 0 where the price is not known."""
        return cost_micro(usage, self._spec.prices) if self._spec.prices else 0

    def _turn(self, breakers: Breakers) -> None:
        for scope in opened(self._breakers, breakers):
            extra = {"provider": self.name, "reason": breakers.circuit(scope).reason}
            logger.warning("llm_provider_circuit_opened", extra=extra)
        if closed(self._breakers, breakers):
            logger.warning("llm_provider_circuit_closed", extra={"provider": self.name})
        circuits = breakers.circuits.values()
        self.metrics.circuit_open = any(circuit.state is not CircuitState.CLOSED for circuit in circuits)
        self._breakers = breakers if any(circuit != Circuit() for circuit in circuits) else Breakers()

    def _fields(self, latency_ms: float, streaming: bool) -> dict[str, object]:
        return {
            "provider": self.name,
            "model": self.provider.model,
            "latency_ms": round(latency_ms, 3),
            "streaming": streaming,
        }


class Attempt:
    """One request to one provider. Ends with exactly one of `succeeded`, `failed` and `abandoned`."""

    __slots__ = ("_began_s", "_idle_s", "_streaming", "slot")

    def __init__(self, slot: Slot, streaming: bool) -> None:
        self.slot = slot
        self._streaming = streaming
        self._began_s = time.perf_counter()
        self._idle_s = 0.0

    def idle(self, seconds: float) -> None:
        """Time that the caller took between two pieces of a stream: not the provider's."""
        self._idle_s += seconds

    def succeeded(self, answer: ModelAnswer) -> None:
        """It was answered."""
        self.slot.succeeded(answer, self._latency_ms(), streaming=self._streaming)

    def failed(self, error: ProviderError) -> None:
        """It failed."""
        self.slot.failed(error, self._latency_ms(), streaming=self._streaming)

    def abandoned(self, *, alive: bool) -> None:
        """The caller went away."""
        self.slot.abandoned(alive=alive)

    def _latency_ms(self) -> float:
        return (time.perf_counter() - self._began_s - self._idle_s) * 1000
