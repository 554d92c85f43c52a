"""Batches of projects in a Temporal namespace: started, followed, steered and read."""

from collections.abc import Mapping

from pydantic import ValidationError
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from orchestrator.artifacts.publish import batch_name
from orchestrator.client.batch_spec import PlannedBatch, store_batch
from orchestrator.client.rpc import RPC_TIMEOUT, rpc_errors
from orchestrator.client.runs import RunFacts, RunKind, Runs, ended, facts
from orchestrator.client.site import Site
from orchestrator.client.stored import StoredLogs
from orchestrator.client.urgency import team_attribute, urgency
from orchestrator.contracts.batch import BatchInput, BatchProjectView, BatchView, project_id_of
from orchestrator.contracts.details import STEERING
from orchestrator.contracts.names import (
    BATCH_WORKFLOW,
    MEMO_BATCH,
    MEMO_MAX_USD,
    QUEUE_WORKFLOWS,
    batch_workflow_id,
    workflow_id,
)
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.money import micro, usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.text import one_line

_SUMMARY_CHARS = 100
_MOST_AT_ONCE = 200
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_BATCHES = RunKind(BATCH_WORKFLOW, batch_workflow_id, BatchView, "batch", "orch-cli batch list")


class BatchRow(Frozen):
    """One batch in a list. Times are seconds since the epoch."""

    batch_id: str
    name: str
    status: str
    started_s: float
    closed_s: float | None
    spent_usd: float
    max_usd: float
    projects_done: int
    projects_total: int


class BatchRuns(Runs[BatchView]):
    """Batches."""

    def __init__(self, site: Site) -> None:
        super().__init__(_BATCHES, site.client, StoredLogs(site.store))
        self._site = site

    async def start(self, batch_id: str, plan: PlannedBatch, by: str = "") -> None:
        """Starts a batch under an id that no other has. `by`: who asks for it."""
        registered = await self._site.ready()
        spec = (await store_batch(plan, self._site.store)).model_copy(update={"search_attributes": registered})
        running = TypedSearchAttributes(
            [SearchAttributePair(_STATUS, ProjectStatus.RUNNING.value), *team_attribute(spec.team)]
        )
        with rpc_errors(self.address):
            await self._client.start_workflow(
                BATCH_WORKFLOW,
                BatchInput(spec=spec, by=by),
                id=batch_workflow_id(batch_id),
                task_queue=QUEUE_WORKFLOWS,
                task_timeout=self._site.task_timeout,
                memo={MEMO_BATCH: spec.name, MEMO_MAX_USD: usd(spec.max_micro)},
                search_attributes=running if registered else None,
                static_summary=one_line(f"{spec.name}: {len(plan.projects)} projects", _SUMMARY_CHARS),
                static_details=STEERING,
                priority=urgency(spec.team, attended=False),
                rpc_timeout=RPC_TIMEOUT,
            )

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died."""
        await self._site.heal()

    async def rows(self, limit: int) -> list[BatchRow]:
        """The latest batches, running ones first."""
        return [await self._row(run) for run in await self.executions(limit)]

    async def _running(self, run_id: str) -> BatchView:
        view = await super()._running(run_id)
        query = f"WorkflowId STARTS_WITH '{workflow_id(project_id_of(run_id, ''))}' AND ExecutionStatus = 'Running'"
        with rpc_errors(self.address):
            found = self._client.list_workflows(query, page_size=_MOST_AT_ONCE, rpc_timeout=RPC_TIMEOUT)
            known = {run.id: facts(run) async for run in found}
        return view.model_copy(update={"projects": tuple(_as_known(one, known) for one in view.projects)})

    async def _broken_off(self, run_id: str, run: WorkflowExecutionDescription, reason: str) -> BatchView:
        last = await self._stored(run_id) or BatchView(
            batch_id=run_id,
            workflow_id=run.id,
            name=await run.memo_value(MEMO_BATCH, "", type_hint=str),
            status=ProjectStatus.SYSTEM_FAILURE,
            max_micro=micro(await run.memo_value(MEMO_MAX_USD, 0.0, type_hint=float)),
            concurrency=0,
            started_s=run.start_time.timestamp(),
        )
        running = [one for one in last.projects if one.status == "RUNNING"]
        note = f"{len(running)} of its projects ran when it ended, and go on by themselves"
        return last.model_copy(
            update={
                "status": ended(run.status),
                "reason": reason,
                "notes": (*last.notes, note) if running else last.notes,
                "projects": tuple(_left_alone(one) for one in last.projects),
            }
        )

    async def _stored(self, batch_id: str) -> BatchView | None:
        """How the batch looked last; None where it stored nothing."""
        data = await self._site.store.read_named(batch_name(self._client.namespace, batch_id, "view.json"))
        try:
            return None if data is None else BatchView.model_validate_json(data)
        except ValidationError as error:
            raise PrerequisiteError(f"what batch {batch_id} has stored is of another version") from error

    async def _row(self, run: WorkflowExecution) -> BatchRow:
        known = facts(run)
        return BatchRow(
            batch_id=self.kind.run_id(run),
            name=await run.memo_value(MEMO_BATCH, "", type_hint=str),
            status=known.status,
            started_s=known.started_s,
            closed_s=known.closed_s,
            spent_usd=known.spent_usd,
            max_usd=await run.memo_value(MEMO_MAX_USD, 0.0, type_hint=float),
            projects_done=known.done,
            projects_total=known.total,
        )


def _as_known(project: BatchProjectView, known: Mapping[str, RunFacts]) -> BatchProjectView:
    """A running project as the namespace knows it, which its batch does not."""
    now = known.get(workflow_id(project.project_id))
    if project.status != "RUNNING" or now is None:
        return project
    return project.model_copy(update={"status": now.status, "tasks_done": now.done, "tasks_total": now.total})


def _left_alone(project: BatchProjectView) -> BatchProjectView:
    """A project of a batch that is not there any more."""
    if project.status != "PENDING":
        return project
    return project.model_copy(update={"status": ProjectStatus.CANCELLED.value, "reason": "the batch ended before"})
