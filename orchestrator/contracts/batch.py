"""Batches of projects: their frozen input, what they remember, their result, payloads of their activities."""

import hashlib
import re

from orchestrator.contracts.delivery import Delivery, ScheduleTerms
from orchestrator.contracts.project import ProjectView, Timeouts
from orchestrator.contracts.state import RunLog
from orchestrator.domain.base import Frozen
from orchestrator.domain.batch import BatchProject, BatchState, ProjectEnd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef

KEY_CHARS = 40
_PREFIX_CHARS = 120 - 1 - KEY_CHARS
_DIGEST_CHARS = 12
_NOT_OF_IDS = re.compile(r"[^a-z0-9-]+")


class ManifestEntry(BatchProject):
    """One project of a batch; `spec` is the JSON of its ProjectSpec, whose id and batch are set when it starts."""

    spec: BlobRef


class BatchManifest(Frozen):
    """What a batch runs, in order. Kept in the artifact store as JSON: its digest says what runs."""

    name: str
    projects: tuple[ManifestEntry, ...]


class BatchSpec(Frozen):
    """One batch, resolved. `max_micro` is shared by its projects, `concurrency` of them run at a time."""

    manifest: BlobRef
    name: str
    max_micro: int
    concurrency: int
    timeouts: Timeouts = Timeouts()
    continue_after_events: int = 4000
    look_every_s: float = 60.0  # after projects that ended without a word
    task_timeout_s: float | None = None  # of the projects' workflow tasks
    search_attributes: bool = True  # the namespace has ours registered
    team: str = ""  # shares the workers fairly with other teams
    schedule: ScheduleTerms | None = None  # of the schedule that started it
    delivery: Delivery | None = None  # of the batch's result


class BatchMemory(RunLog):
    """What a batch remembers: carried by continue-as-new. `told`: what running projects were told last, by key."""

    progress: BatchState | None = None
    told: dict[str, str] = {}


class BatchInput(Frozen):
    """Argument of the workflow, whose id is the batch's: a fresh run has no state. `by`: who started it."""

    spec: BatchSpec
    state: BatchMemory | None = None
    by: str = ""


class BatchProjectView(Frozen):
    """One project of a batch as the user sees it. `status` is PENDING, RUNNING or the final one."""

    key: str
    project_id: str
    title: str
    file: str = ""
    status: str
    reason: str = ""
    max_micro: int
    spent_micro: int = 0
    uncertain_micro: int = 0
    quality_score: float | None = None
    calls: int = 0
    tasks_done: int = 0
    tasks_total: int = 0
    started_s: float | None = None  # of one that runs; seconds since the epoch
    elapsed_s: float = 0.0
    simulated: bool = False
    manifest: BlobRef | None = None  # what it published
    output_dir: str = ""  # where a worker wrote it


class BatchView(Frozen):
    """State of a batch, and its result. `reserved_micro` is what its running projects may still spend."""

    batch_id: str
    workflow_id: str
    name: str
    status: ProjectStatus
    schedule: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    manifest: BlobRef | None = None  # what runs; None where that is not known any more
    max_micro: int
    spent_micro: int = 0
    uncertain_micro: int = 0
    reserved_micro: int = 0
    quality_score: float | None = None
    concurrency: int
    started_s: float
    elapsed_s: float = 0.0
    simulated: bool = False
    projects_done: int = 0
    projects_total: int = 0
    projects: tuple[BatchProjectView, ...] = ()
    events: BlobRef | None = None  # the whole event log as JSONL, once the batch has ended


class OpenBatch(Frozen):
    """A manifest to read."""

    manifest: BlobRef


class OpenedBatch(Frozen):
    """What the manifest lists."""

    projects: tuple[BatchProject, ...]


class LoadProject(Frozen):
    """A project to read, whose ProjectSpec is the answer."""

    manifest: BlobRef
    key: str


class LookAfter(Frozen):
    """Projects that should be running: project ids by key."""

    namespace: str
    projects: dict[str, str]


class LookedAfter(Frozen):
    """Those of them that have ended."""

    ends: tuple[ProjectEnd, ...]


class PublishBatch(Frozen):
    """How a batch looks, to be kept. With `events`, segments of its log, they become one, and it has ended."""

    namespace: str
    view: BatchView
    events: tuple[BlobRef, ...] = ()


class PublishedBatch(Frozen):
    """The log as JSONL, once the batch has ended."""

    events: BlobRef | None = None


def project_id_of(batch_id: str, key: str) -> str:
    """The id of a batch's project, of the characters and the length that ids of projects have.

    The part before the key is the batch's alone: one that is too long ends in a digest.
    """
    prefix = _NOT_OF_IDS.sub("-", batch_id.lower()).strip("-")
    if len(prefix) > _PREFIX_CHARS:
        digest = hashlib.sha256(batch_id.encode()).hexdigest()[:_DIGEST_CHARS]
        prefix = f"{prefix[: _PREFIX_CHARS - 1 - _DIGEST_CHARS]}-{digest}"
    return f"{prefix}-{key}"


def end_of(key: str, view: ProjectView) -> ProjectEnd:
    """What a batch is told of a project's result."""
    return ProjectEnd(
        key=key,
        status=view.status,
        reason=view.reason[:200],
        spent_micro=view.spent_micro,
        uncertain_micro=view.uncertain_micro,
        quality_score=view.quality_score,
        calls=view.calls,
        tasks_done=view.tasks_done,
        tasks_total=view.tasks_total,
        elapsed_s=view.elapsed_s,
        simulated=view.simulated,
        manifest=view.manifest,
        output_dir=view.output_dir,
    )
