"""Calls under way in this process: one task per request, which attempts of the activity join and leave."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from temporalio import activity

from orchestrator.contracts.calls import CallKind, CallRequest, CallResult
from orchestrator.domain.errors import CallFailure, FailureKind, Fate


class Phase(Enum):
    """How far a call has come."""

    PREPARING = auto()  # nothing was sent
    SENT = auto()  # the vendor may charge for it
    ANSWERED = auto()  # the outcome is known and is being recorded


class LiveCall:
    """One call; `phase` is set by whoever performs it."""

    def __init__(self, request: CallRequest) -> None:
        self.request = request
        self.phase = Phase.PREPARING


class LiveCalls:
    """All calls under way. An attempt that ends leaves its call running; a later one joins it."""

    def __init__(self, perform: Callable[[LiveCall], Awaitable[CallResult]]) -> None:
        self._perform = perform
        self._running: dict[CallRequest, tuple[LiveCall, asyncio.Task[CallResult]]] = {}

    async def join(self, request: CallRequest) -> CallResult:
        """The outcome of `request`, which is begun unless an equal one is under way.

        Only a real request to cancel stops it, and not once the answer is there. When the worker shuts down, the
        attempt waits for the end; when it was given up otherwise, it ends without a result and the call goes on.
        """
        live, task = self._running.get(request) or self._begin(request)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    return _cancelled(live)
                details = activity.cancellation_details()
                if details is not None and details.cancel_requested:
                    if live.phase is not Phase.ANSWERED:
                        task.cancel()
                elif details is None or not details.worker_shutdown:
                    raise

    def _begin(self, request: CallRequest) -> tuple[LiveCall, asyncio.Task[CallResult]]:
        live = LiveCall(request)
        task = asyncio.ensure_future(self._perform(live))
        self._running[request] = live, task
        task.add_done_callback(lambda ended: self._end(request, ended))
        return live, task

    def _end(self, request: CallRequest, task: asyncio.Task[CallResult]) -> None:
        del self._running[request]
        if not task.cancelled():
            task.exception()  # perhaps nobody waits for it any more


def _cancelled(live: LiveCall) -> CallResult:
    unsent = live.phase is Phase.PREPARING
    return CallResult(
        kind=CallKind.FAILURE if unsent else CallKind.UNCERTAIN,
        model=live.request.model.id,
        failure=CallFailure(
            kind=FailureKind.CANCELLED,
            fate=Fate.UNBILLED if unsent else Fate.UNCERTAIN,
            message="cancelled before it was sent" if unsent else "cancelled while the vendor was answering",
        ),
    )
