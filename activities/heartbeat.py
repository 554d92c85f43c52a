"""Heartbeats in the background, so that the death of a worker is noticed in seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

_BEATS_PER_TIMEOUT = 3
_MAX_INTERVAL_S = 2.0  # a request to cancel arrives with the answer to a heartbeat


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Beats while the block runs, three times per heartbeat timeout and at least every 2 s; not if it has none.

    What ends before the first beat costs the server nothing.
    """
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    beating = asyncio.create_task(_beat(min(timeout.total_seconds() / _BEATS_PER_TIMEOUT, _MAX_INTERVAL_S)))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        activity.heartbeat()
