"""Activities of batches: what is to run, projects that ended without a word, what a batch leaves behind."""

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from activities.run_telemetry import tell_batch
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.publish import batch_name, joined_log, project_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts import names
from orchestrator.contracts.batch import (
    BatchManifest,
    LoadProject,
    LookAfter,
    LookedAfter,
    OpenBatch,
    OpenedBatch,
    PublishBatch,
    PublishedBatch,
    end_of,
)
from orchestrator.contracts.project import ProjectSpec, ProjectView
from orchestrator.domain.batch import BatchProject, ProjectEnd, broken_off
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.telemetry.telemetry import SILENT, Telemetry

_OPEN = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
_ENDED = {
    WorkflowExecutionStatus.CANCELED: (ProjectStatus.CANCELLED, "its run was cancelled"),
    WorkflowExecutionStatus.TIMED_OUT: (ProjectStatus.TIMEOUT, "its run timed out"),
    WorkflowExecutionStatus.TERMINATED: (ProjectStatus.SYSTEM_FAILURE, "its run was terminated"),
}


class BatchActivities:
    """Implementations over one store and one journal."""

    def __init__(self, store: ArtifactStore, journal: Journal, telemetry: Telemetry = SILENT) -> None:
        self._store = store
        self._journal = journal
        self._telemetry = telemetry

    @activity.defn(name=names.ACTIVITY_BATCH_OPEN)
    async def open(self, request: OpenBatch) -> OpenedBatch:
        """Say what a manifest lists."""
        entries = (await self._manifest(request.manifest)).projects
        return OpenedBatch(projects=tuple(BatchProject(**entry.model_dump(exclude={"spec"})) for entry in entries))

    @activity.defn(name=names.ACTIVITY_BATCH_LOAD)
    async def load(self, request: LoadProject) -> ProjectSpec:
        """Read one project."""
        entries = (await self._manifest(request.manifest)).projects
        entry = next(entry for entry in entries if entry.key == request.key)
        return ProjectSpec.model_validate_json(await self._store.get(entry.spec))

    @activity.defn(name=names.ACTIVITY_BATCH_LOOK)
    async def look(self, request: LookAfter) -> LookedAfter:
        """Say which projects have ended, and how."""
        found = [await self._end(request.namespace, *one) for one in request.projects.items()]
        return LookedAfter(ends=tuple(end for end in found if end is not None))

    @activity.defn(name=names.ACTIVITY_BATCH_PUBLISH)
    async def publish(self, request: PublishBatch) -> PublishedBatch:
        """Keep how a batch looks, and its log once it has ended."""
        events = await joined_log(self._store, request.events) if request.events else None
        view = request.view.model_copy(update={"events": events})
        name = batch_name(request.namespace, view.batch_id, "view.json")
        await self._store.write_named(name, view.model_dump_json().encode())
        if events is not None:
            tell_batch(self._telemetry, view)
        return PublishedBatch(events=events)

    async def _manifest(self, ref: BlobRef) -> BatchManifest:
        return BatchManifest.model_validate_json(await self._store.get(ref))

    async def _end(self, namespace: str, key: str, project_id: str) -> ProjectEnd | None:
        """How a project ended; None while it runs."""
        handle = activity.client().get_workflow_handle(names.workflow_id(project_id), result_type=ProjectView)
        try:
            status = (await handle.describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._broken_off(namespace, key, project_id, None)
        if status in _OPEN:
            return None
        try:
            return end_of(key, await handle.result())
        except WorkflowFailureError:
            return await self._broken_off(namespace, key, project_id, status)

    async def _broken_off(
        self, namespace: str, key: str, project_id: str, status: WorkflowExecutionStatus | None
    ) -> ProjectEnd:
        """The end of a project that could not tell it: all that its requests cost, or can cost, is uncertain."""
        charges = await self._journal.charges(namespace, project_id, frozenset())
        charged_micro = sum(charge.amount_micro for charge in charges.values())
        data = await self._store.read_named(project_name(namespace, project_id, "view.json"))
        told, reason = (
            _ENDED.get(status, (ProjectStatus.SYSTEM_FAILURE, "its run failed"))
            if status
            else (ProjectStatus.SYSTEM_FAILURE, "its run is gone")
        )
        last = end_of(key, ProjectView.model_validate_json(data)) if data else None
        return broken_off(key, told, reason, last, charged_micro)
