"""What a worker knows of its own health."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.text import one_line

_CHECK_S = 2.0  # each; probes of orchestrators give up after a few seconds
_FRESH_S = 1.0  # answers are given again: whoever asks too often costs nothing
_PROBE = "health/probe"


class Running(Protocol):
    """What is asked of a Temporal worker."""

    @property
    def is_running(self) -> bool: ...


class _Found(NamedTuple):
    at_s: float
    troubles: dict[str, str]


class Health:
    """What is known of this process. Until `works` is called it starts; after `draining` is set it ends."""

    def __init__(self) -> None:
        self.draining = False
        self._workers: Sequence[Running] = ()
        self._client: Client | None = None
        self._store: ArtifactStore | None = None
        self._found = _Found(float("-inf"), {})

    def works(self, client: Client, store: ArtifactStore, workers: Sequence[Running]) -> None:
        """The workers have begun to poll."""
        self._client, self._store, self._workers = client, store, workers

    @property
    def dead(self) -> int:
        """Workers that have ended although nobody asked them to."""
        return 0 if self.draining else sum(not worker.is_running for worker in self._workers)

    async def troubles(self) -> dict[str, str]:
        """Why this process cannot take work just now, by what is missing; empty where it can."""
        if self.draining:
            return {"worker": "draining: finishes what it has begun"}
        if self._client is None or self._store is None:
            return {"worker": "starting: not connected yet"}
        if self.dead:
            return {"worker": f"{self.dead} of {len(self._workers)} task queues are not polled any more"}
        if time.monotonic() - self._found.at_s > _FRESH_S:
            temporal, store = await asyncio.gather(_temporal(self._client), _readable(self._store))
            found = {"temporal": temporal, "store": store}
            self._found = _Found(time.monotonic(), {name: trouble for name, trouble in found.items() if trouble})
        return self._found.troubles


async def _temporal(client: Client) -> str:
    try:
        serving = await client.service_client.check_health(timeout=timedelta(seconds=_CHECK_S))
    except RPCError as error:
        return one_line(f"{error.status.name.lower()}: {error.message}")
    return "" if serving else "does not serve"


async def _readable(store: ArtifactStore) -> str:
    try:
        async with asyncio.timeout(_CHECK_S):
            await store.read_named(_PROBE)
    except TimeoutError:
        return f"does not answer within {_CHECK_S:g} s"
    except (ArtifactError, ArtifactUnavailableError) as error:
        return one_line(str(error))
    return ""
