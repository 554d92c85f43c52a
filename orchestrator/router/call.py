"""One routed request: who is asked next, when a failed provider is asked again, and how it all ends."""

from collections.abc import Awaitable, Callable, Sequence

from orchestrator.domain.breaker import MAX_BACKOFF_S, TRANSIENT
from orchestrator.domain.errors import FailureKind
from orchestrator.providers.base import ProviderError
from orchestrator.providers.errors import AllProvidersFailedError, provider_error
from orchestrator.router.slot import Attempt, Slot


class RoutedCall:
    """Asks providers in their order; those that failed for a passing reason again, once their backoff is over.

    A provider is asked once and `max_retries` times more, a circuit that is open is not asked at all.
    """

    def __init__(
        self,
        order: Sequence[Slot],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        *,
        streaming: bool = False,
    ) -> None:
        self._order = order
        self._clock = clock
        self._sleep = sleep
        self._streaming = streaming
        self._asked: dict[str, int] = {}
        self._errors: dict[str, ProviderError] = {}

    async def next(self) -> Attempt:
        """The next request leaves, perhaps after a wait. Raises ProviderError where nobody can be asked any more."""
        while True:
            now_s = self._clock()
            slot = self._candidate(now_s)
            if slot is None:
                raise self._outcome(now_s) from self._causes()
            wait_s = slot.retry_at_s() - now_s
            if wait_s <= 0:
                self._asked[slot.name] = self._asked.get(slot.name, 0) + 1
                return slot.begin(streaming=self._streaming)
            await self._sleep(wait_s)

    def failed(self, attempt: Attempt, error: Exception, *, answering: bool = False) -> None:
        """Book a failure. Raises what ends the call: the request's own fault, or a stream that broke off."""
        known = provider_error(error, attempt.slot.provider.config.api_key)
        attempt.failed(known)
        self._errors[attempt.slot.name] = known
        if answering or known.failure.kind is FailureKind.BAD_REQUEST:
            raise known

    def _candidate(self, now_s: float) -> Slot | None:
        """Who is ready, the least asked first; else who is ready soonest."""
        best: tuple[float, int, int] | None = None
        chosen = None
        for position, slot in enumerate(self._order):
            if not self._may_ask(slot, now_s):
                continue
            wait_s = max(0.0, slot.retry_at_s() - now_s)
            rank = (wait_s, self._asked.get(slot.name, 0), position)
            if wait_s <= MAX_BACKOFF_S and (best is None or rank < best):
                best, chosen = rank, slot
                if rank[:2] == (0.0, 0):
                    break
        return chosen

    def _may_ask(self, slot: Slot, now_s: float) -> bool:
        error = self._errors.get(slot.name)
        if error is not None and error.failure.kind not in TRANSIENT:
            return False
        return self._asked.get(slot.name, 0) <= slot.provider.config.max_retries and slot.allowed(now_s)

    def _outcome(self, now_s: float) -> ProviderError:
        errors = {slot.name: self._errors.get(slot.name) or slot.refusal(now_s) for slot in self._order}
        return AllProvidersFailedError(errors) if len(errors) > 1 else errors.popitem()[1]

    def _causes(self) -> ExceptionGroup[ProviderError] | None:
        return ExceptionGroup("errors of the providers", [*self._errors.values()]) if len(self._errors) > 1 else None
