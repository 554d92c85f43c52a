"""What runs leave: executions that Temporal knows, objects of the store that have their names."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from temporalio.client import Client

from orchestrator.artifacts.backends import Entry
from orchestrator.artifacts.store import safe_piece
from orchestrator.client.mentions import executions
from orchestrator.contracts.names import batch_workflow_id, pipeline_workflow_id, workflow_id
from orchestrator.domain.base import Frozen

JOURNAL = "journal"


class RunFolder(NamedTuple):
    """A kind of run: what it is called, its workflow's id, where its objects lie."""

    noun: str
    workflow_id: Callable[[str], str]
    folder: str


KINDS = (
    RunFolder("project", workflow_id, "projects"),
    RunFolder("pipeline", pipeline_workflow_id, "pipelines"),
    RunFolder("batch", batch_workflow_id, "batches"),
)
_OF = {kind.noun: kind for kind in KINDS}


class EndedRun(Frozen):
    """Something that can be removed: a `kind` of run (project, pipeline, batch), seconds since the epoch of its end."""

    kind: str
    id: str
    ended_s: float

    @property
    def workflow_id(self) -> str:
        """Of its workflow."""
        return _OF[self.kind].workflow_id(self.id)


class Trace(NamedTuple):
    """What Temporal knows of a run: whether one is open, and when the last one ended."""

    open: bool
    ended_s: float
    executions: tuple[str, ...]


async def traces_of(client: Client) -> dict[str, Trace]:
    """All runs of the namespace by workflow id. Raises RPCError."""
    traces: dict[str, Trace] = {}
    async for run in executions(client):
        old = traces.get(run.id, Trace(open=False, ended_s=0.0, executions=()))
        traces[run.id] = Trace(
            open=old.open or (run.close_time is None),
            ended_s=max(old.ended_s, run.close_time.timestamp() if run.close_time else 0.0),
            executions=(*old.executions, run.run_id),
        )
    return traces


def ended_runs(traces: dict[str, Trace], entries: Iterable[Entry], namespace: str) -> list[EndedRun]:
    """All runs that Temporal or the store knows, without those that go on."""
    ended: dict[tuple[str, str], float] = {}
    for kind in KINDS:
        prefix = kind.workflow_id("")
        for name, trace in traces.items():
            if name.startswith(prefix) and not trace.open:
                ended[kind.noun, name.removeprefix(prefix)] = trace.ended_s
    known = {(kind, safe_piece(run_id)) for kind, run_id in ended}
    stored: dict[tuple[str, str], float] = {}
    for entry in entries:
        folder, *rest = entry.name.split("/")
        noun = next((kind.noun for kind in KINDS if kind.folder == folder), "")
        if noun and len(rest) > 1 and rest[0] == safe_piece(namespace) and (noun, rest[1]) not in known:
            stored[noun, rest[1]] = max(stored.get((noun, rest[1]), 0.0), entry.modified_s)
    for (noun, piece), modified_s in stored.items():
        run_id = unquote(piece)
        if safe_piece(run_id) == piece and _OF[noun].workflow_id(run_id) not in traces:
            ended[noun, run_id] = modified_s  # its history is gone, or never was
    return [EndedRun(kind=kind, id=run_id, ended_s=ended_s) for (kind, run_id), ended_s in ended.items()]


def objects_of(run: EndedRun, entries: Sequence[Entry], namespace: str) -> list[Entry]:
    """The run's own objects: what a resume reads first, the journal last."""
    space, piece = safe_piece(namespace), safe_piece(run.id)
    folder = f"{_OF[run.kind].folder}/{space}/{piece}/"
    journal = f"{JOURNAL}/{space}/{piece}/"
    others = [f"{kind.folder}/{space}/{piece}/" for kind in KINDS if kind.noun != run.kind]
    shared = any(entry.name.startswith(tuple(others)) for entry in entries)
    prefixes = (folder,) if shared else (folder, journal)
    return [entry for prefix in prefixes for entry in entries if entry.name.startswith(prefix)]
