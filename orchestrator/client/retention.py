"""What ended runs left is removed: artifacts, journal, history. Never anything of a run that goes on.

Why this is safe while runs start, resume and write: docs/decisions/0013.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import unquote

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.publish import batch_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.artifacts.sweeping import (
    Swept,
    blobs_among,
    clock_s,
    digests_in,
    named_among,
    reachable,
    sweep,
)
from orchestrator.client.holding import Deletion, RunsNowError, delete_execution, held
from orchestrator.client.mentions import executions, in_history, in_schedules
from orchestrator.client.rpc import rpc_errors
from orchestrator.client.traces import JOURNAL, KINDS, EndedRun, ended_runs, objects_of, traces_of
from orchestrator.contracts.batch import BatchView
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError, UserInputError

# A reference is written at most a day after its content (the limit of an activity); the rest is for clocks that differ.
GRACE_BUSY_S = 2 * 86_400.0
GRACE_IDLE_S = 300.0  # where no run is open, only a client that is about to start one holds such content

_REFUSED = "the server does not let us remove histories: they stay as long as it keeps them"
_READING = 8  # histories at a time


class Removed(Frozen):
    """What was removed, or would be. Sizes are bytes as they lie in the store.

    `young_bytes` nobody refers to any more, but they were written lately: the next collection takes them.
    """

    runs: tuple[EndedRun, ...]
    objects: Swept = Swept()  # by name: states, views, journal
    blobs: Swept = Swept()
    young_bytes: int = 0
    histories: int = 0
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """All bytes that were freed."""
        return self.objects.bytes + self.blobs.bytes


class Retention:
    """Removes what ended runs of one namespace left.

    Methods raise PrerequisiteError, in one line, where Temporal or the store is silent.
    """

    def __init__(self, client: Client, store: ArtifactStore) -> None:
        self._client = client
        self._store = store

    async def find(self, run_id: str) -> list[EndedRun]:
        """The ended run of this id; of a batch, its projects too.

        Raises UserInputError where there is none, or where it goes on.
        """
        with rpc_errors(self._address):
            traces = await traces_of(self._client)
        ended = ended_runs(traces, await self._store.entries(), self._client.namespace)
        found = [run for run in ended if run.id == run_id]
        for kind in KINDS:
            if (trace := traces.get(kind.workflow_id(run_id))) and trace.open:
                raise UserInputError(f"{kind.noun} {run_id} is running: cancel it first, nothing of it is removed")
        if not found:
            raise UserInputError(f"there is nothing of {run_id!r}; 'orch-cli list' shows what there is")
        members = [member for run in found if run.kind == "batch" for member in await self._members(run)]
        return [*found, *(run for run in ended if run.kind == "project" and run.id in members)]

    async def ended_before(self, time_s: float) -> list[EndedRun]:
        """Runs that ended before `time_s`, the oldest first."""
        with rpc_errors(self._address):
            traces = await traces_of(self._client)
        ended = ended_runs(traces, await self._store.entries(), self._client.namespace)
        return sorted((run for run in ended if run.ended_s < time_s), key=lambda run: run.ended_s)

    async def remove(self, runs: Sequence[EndedRun], *, dry_run: bool = False) -> Removed:
        """Removes these runs, and content that only they refer to. A run that goes on meanwhile stays."""
        with rpc_errors(self._address):
            only = await self._content_of(runs)
            done = await (self._would_remove(runs) if dry_run else self._remove_runs(runs))
            return await self._remove_blobs(done, only, dry_run=dry_run)

    async def collect(self, runs: Sequence[EndedRun], *, dry_run: bool = False) -> Removed:
        """Removes these runs, and all content that nothing refers to."""
        with rpc_errors(self._address):
            done = await (self._would_remove(runs) if dry_run else self._remove_runs(runs))
            return await self._remove_blobs(done, None, dry_run=dry_run)

    @property
    def _address(self) -> str:
        return self._client.service_client.config.target_host

    # Runs

    async def _members(self, batch: EndedRun) -> list[str]:
        """Ids of a batch's projects, as far as it told them."""
        data = await self._store.read_named(batch_name(self._client.namespace, batch.id, "view.json"))
        return [project.project_id for project in BatchView.model_validate_json(data).projects] if data else []

    async def _would_remove(self, runs: Sequence[EndedRun]) -> Removed:
        entries, traces = await self._store.entries(), await traces_of(self._client)
        gone = [entry for run in runs for entry in objects_of(run, entries, self._client.namespace)]
        return Removed(
            runs=tuple(runs),
            objects=Swept(blobs=len(gone), bytes=sum(entry.size for entry in gone)),
            histories=sum(len(traces[run.workflow_id].executions) for run in runs if run.workflow_id in traces),
        )

    async def _remove_runs(self, runs: Sequence[EndedRun]) -> Removed:
        gone: list[EndedRun] = []
        objects, histories, notes = Swept(), 0, []
        entries = await self._store.entries()
        traces = await traces_of(self._client)
        for run in runs:
            name = run.workflow_id
            try:
                async with held(self._client, name) as hold:
                    for entry in objects_of(run, entries, self._client.namespace):
                        hold.check()
                        await self._store.delete_named(entry.name)
                        objects = objects.plus(entry.size)
                    for execution in traces[name].executions if name in traces else ():
                        deletion = await delete_execution(self._client, name, execution)
                        histories += deletion is Deletion.DONE
                        if deletion is Deletion.REFUSED:
                            notes.append(_REFUSED)
            except RunsNowError as error:
                notes.append(str(error))
                continue
            gone.append(run)
        return Removed(runs=tuple(gone), objects=objects, histories=histories, notes=tuple(dict.fromkeys(notes)))

    # Content

    async def _content_of(self, runs: Sequence[EndedRun]) -> set[str]:
        """Digests that these runs name."""
        entries = await self._store.entries()
        traces = await traces_of(self._client)
        names = [entry.name for run in runs for entry in objects_of(run, entries, self._client.namespace)]
        histories = [
            (self._client, name, execution)
            for name in (run.workflow_id for run in runs)
            for execution in (traces[name].executions if name in traces else ())
        ]
        return await digests_in(self._store, names) | await _in_histories(histories)

    async def _remove_blobs(self, done: Removed, only: Collection[str] | None, *, dry_run: bool) -> Removed:
        now_s = await clock_s(self._store)
        entries = await self._store.entries()
        blobs = blobs_among(entries)
        gone = [entry for run in done.runs for entry in objects_of(run, entries, self._client.namespace)]
        left = {entry.name for entry in named_among(entries)} - {entry.name for entry in gone}
        removed = {run.workflow_id for run in done.runs}
        roots, busy = await self._mentioned(self._namespaces(left), removed)
        marked = await reachable(self._store, roots | await digests_in(self._store, sorted(left)), blobs)
        if only is not None:
            blobs = {digest: blobs[digest] for digest in await reachable(self._store, only, blobs)}
        before_s = now_s - (GRACE_BUSY_S if busy else GRACE_IDLE_S)
        unused = [entry for digest, entry in blobs.items() if digest not in marked]
        doomed = [entry for entry in unused if entry.modified_s < before_s]
        swept = Swept(blobs=len(doomed), bytes=sum(entry.size for entry in doomed))
        if not dry_run:
            swept = await sweep(self._store, doomed, before_s)
        young = sum(entry.size for entry in unused if entry.modified_s >= before_s)
        return done.model_copy(update={"blobs": swept, "young_bytes": young})

    def _namespaces(self, names: Iterable[str]) -> list[str]:
        """All namespaces whose runs use the store, ours included."""
        folders = (JOURNAL, *(kind.folder for kind in KINDS))
        pieces = [name.split("/") for name in names]
        return sorted({self._client.namespace, *(unquote(each[1]) for each in pieces if each[0] in folders)})

    async def _mentioned(self, namespaces: Iterable[str], removed: Collection[str]) -> tuple[set[str], bool]:
        """Digests that Temporal names, without runs that were removed; and whether any run is open."""
        found: set[str] = set()
        busy = False
        histories: list[tuple[Client, str, str]] = []
        for namespace in namespaces:
            client = self._client
            if namespace != client.namespace:
                client = Client(client.service_client, namespace=namespace, data_converter=client.data_converter)
            try:
                async for run in executions(client):
                    busy = busy or run.close_time is None
                    if client is not self._client or run.id not in removed:
                        histories.append((client, run.id, run.run_id))
                found |= await in_schedules(client)
            except RPCError as error:
                if client is self._client or error.status not in (
                    RPCStatusCode.NOT_FOUND,
                    RPCStatusCode.PERMISSION_DENIED,
                ):
                    raise
                raise PrerequisiteError(
                    f"the store also holds runs of namespace {namespace!r}, which {self._address} does not show: "
                    "what they use is not known, so no content is removed"
                ) from error
        return found | await _in_histories(histories), busy


async def _in_histories(histories: Sequence[tuple[Client, str, str]]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(histories), _READING):
        for each in await asyncio.gather(*(in_history(*one) for one in histories[start : start + _READING])):
            found |= each
    return found
