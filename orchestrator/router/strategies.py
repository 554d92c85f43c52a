"""In which order the providers are asked."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random

from orchestrator.providers.generation import GenerationParams
from orchestrator.router.health import HealthChecks
from orchestrator.router.metrics import HealthStatus
from orchestrator.router.slot import Slot

BYTES_PER_TOKEN = 4
EXPECTED_OUTPUT_TOKENS = 500  # of a request that sets no limit
_HEALTH_RANK = {HealthStatus.HEALTHY: 0, HealthStatus.DEGRADED: 1, HealthStatus.UNHEALTHY: 2}


class Strategy(ABC):
    """Orders providers for one request. Safe for concurrent use."""

    @abstractmethod
    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        """All of `slots`, which is not empty, the preferred one first."""


class RoundRobin(Strategy):
    """Each request starts at the next provider."""

    def __init__(self) -> None:
        self._count = itertools.count()

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        return _from(slots, next(self._count) % len(slots))


class RandomChoice(Strategy):
    """Each request starts at a provider drawn at random."""

    def __init__(self, random: Random) -> None:
        self._random = random

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        return _from(slots, self._random.randrange(len(slots)))


class FirstAvailable(Strategy):
    """The first one whose health check says yes, then the others, those whose check said no last."""

    def __init__(self, checks: HealthChecks) -> None:
        self._checks = checks

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        first = await self._checks.first_healthy(slots)
        if first is slots[0]:
            return slots
        return sorted(slots, key=lambda slot: (slot is not first, self._checks.known_unhealthy(slot)))


class Fastest(Strategy):
    """The lowest latency of late. One that was not measured of late gets a request, one at a time."""

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        return sorted(slots, key=expected_latency_ms)


class BestAvailable(Strategy):
    """Healthy before degraded before unhealthy, by what requests showed; within each the fastest."""

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        return sorted(slots, key=lambda slot: (_HEALTH_RANK[slot.metrics.health_status], expected_latency_ms(slot)))


class Cheapest(Strategy):
    """The lowest price for this request; an unknown price comes last."""

    async def order(self, slots: Sequence[Slot], prompt: str, params: GenerationParams | None) -> Sequence[Slot]:
        input_tokens = len(prompt.encode(errors="replace")) // BYTES_PER_TOKEN + 1
        output_tokens = params.max_tokens if params else EXPECTED_OUTPUT_TOKENS

        def price(slot: Slot) -> float:
            micro = slot.price_micro(input_tokens, output_tokens)
            return math.inf if micro is None else micro

        return sorted(slots, key=price)


def expected_latency_ms(slot: Slot) -> float:
    """Measured of late; 0 for one that is to be measured now, infinite for one that is being measured."""
    recent_ms = slot.metrics.recent_latency_ms
    if recent_ms is not None:
        return recent_ms
    return math.inf if slot.in_flight else 0.0


STRATEGIES: dict[str, Callable[[HealthChecks, Random], Strategy]] = {
    "round-robin": lambda _checks, _random: RoundRobin(),
    "random": lambda _checks, random: RandomChoice(random),
    "first-available": lambda checks, _random: FirstAvailable(checks),
    "best-available": lambda _checks, _random: BestAvailable(),
    "cheapest": lambda _checks, _random: Cheapest(),
    "fastest": lambda _checks, _random: Fastest(),
}


def _from(slots: Sequence[Slot], start: int) -> Sequence[Slot]:
    return slots if start == 0 else [*slots[start:], *slots[:start]]
