"""Health checks that many requests share: each is made at most once in a while, all at the same time."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator.router.slot import Slot

TTL_S = 30.0
TIMEOUT_S = 5.0


class HealthChecks:
    """What the providers' own health checks said last. A check that fails or takes too long says no."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, bool]] = {}
        self._running: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[bool]] = {}

    async def first_healthy(self, slots: Sequence[Slot]) -> Slot | None:
        """The first healthy one in this order. Waits for the checks of its predecessors, for no other."""
        answers = [self._answer(slot) for slot in slots]
        for slot, answer in zip(slots, answers, strict=True):
            # Shielded: other requests wait for the same check.
            if answer if isinstance(answer, bool) else await asyncio.shield(answer):
                return slot
        return None

    def known_unhealthy(self, slot: Slot) -> bool:
        """True if the last check said no."""
        return not self._known.get(slot.name, (0.0, True))[1]

    def _answer(self, slot: Slot) -> bool | asyncio.Task[bool]:
        """What is known, or the check that finds out: one per provider and event loop."""
        checked_s, healthy = self._known.get(slot.name, (float("-inf"), False))
        if self._clock() - checked_s < TTL_S:
            return healthy
        key = (asyncio.get_running_loop(), slot.name)
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._check(slot))
            self._running[key].add_done_callback(lambda _: self._running.pop(key, None))
        return self._running[key]

    async def _check(self, slot: Slot) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                healthy = await slot.provider.health_check()
        except Exception:  # noqa: BLE001 - a check of a user's provider that breaks is a check that says no
            healthy = False
        self._known[slot.name] = (self._clock(), healthy)
        return healthy
