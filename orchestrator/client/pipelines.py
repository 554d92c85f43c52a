"""Runs of pipelines in a Temporal namespace: started, followed, steered and read."""

import json

from pydantic import JsonValue, ValidationError
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from orchestrator.artifacts.publish import run_name
from orchestrator.client.rpc import RPC_TIMEOUT, rpc_errors
from orchestrator.client.runs import RunKind, Runs, ended, facts
from orchestrator.client.site import Site
from orchestrator.client.stored import StoredLogs
from orchestrator.client.urgency import team_attribute, urgency
from orchestrator.contracts.details import STEERING
from orchestrator.contracts.names import (
    MEMO_MAX_USD,
    MEMO_PIPELINE,
    PIPELINE_WORKFLOW,
    QUEUE_WORKFLOWS,
    pipeline_workflow_id,
)
from orchestrator.contracts.pipeline import PipelineInput, PipelineRunSpec, PipelineView
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line

_SUMMARY_CHARS = 100
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_PIPELINES = RunKind(
    PIPELINE_WORKFLOW, pipeline_workflow_id, PipelineView, "run of a pipeline", "orch-cli pipeline list"
)


class PipelineRow(Frozen):
    """One run in a list. Times are seconds since the epoch."""

    run_id: str
    pipeline: str
    status: str
    started_s: float
    closed_s: float | None
    spent_usd: float
    steps_done: int
    steps_total: int


class PipelineOutput(Frozen):
    """An ended run with what it gave. `final_output` is None where it failed; `outputs` are by output key."""

    view: PipelineView
    final_output: JsonValue = None
    outputs: dict[str, JsonValue] = {}

    @property
    def success(self) -> bool:
        """Whether every step was done or skipped."""
        return self.view.status is ProjectStatus.SUCCESS


class PipelineRuns(Runs[PipelineView]):
    """Runs of pipelines."""

    def __init__(self, site: Site) -> None:
        super().__init__(_PIPELINES, site.client, StoredLogs(site.store))
        self._site = site

    async def start(self, spec: PipelineRunSpec) -> str:
        """Starts a run and returns its id."""
        await self._begin(PipelineInput(spec=spec))
        return spec.run_id

    async def _begin(self, given: PipelineInput) -> None:
        spec = given.spec
        registered = await self._site.ready()
        name = spec.plan.spec.name[:_SUMMARY_CHARS]
        running = TypedSearchAttributes(
            [SearchAttributePair(_STATUS, ProjectStatus.RUNNING.value), *team_attribute(spec.team)]
        )
        with rpc_errors(self.address):
            await self._client.start_workflow(
                PIPELINE_WORKFLOW,
                given.model_copy(update={"spec": spec.model_copy(update={"search_attributes": registered})}),
                id=pipeline_workflow_id(spec.run_id),
                task_queue=QUEUE_WORKFLOWS,
                task_timeout=self._site.task_timeout,
                memo={MEMO_PIPELINE: name, MEMO_MAX_USD: usd(spec.max_micro) if spec.capped else 0.0},
                search_attributes=running if registered else None,
                static_summary=one_line(name, _SUMMARY_CHARS),
                static_details=STEERING,
                priority=urgency(spec.team, attended=True),
                rpc_timeout=RPC_TIMEOUT,
            )

    async def restart(self, run_id: str, max_micro: int | None = None, by: str = "") -> None:
        """Starts an ended run again where it stopped, under a new cap if one is given.

        Done steps stay done, earlier spending counts. Raises UserInputError where there is nothing to go on with.
        """
        view = await self.view(run_id)
        if view.status is ProjectStatus.SUCCESS:
            raise UserInputError(f"run {run_id} is complete: there is nothing to resume")
        name = run_name(self._client.namespace, run_id, "input.json")
        data = await self._site.store.read_named(name)
        if data is None:
            raise UserInputError(f"run {run_id} ended before it stored anything: run the pipeline anew")
        try:
            given = PipelineInput.model_validate_json(data)
        except ValidationError as error:
            raise PrerequisiteError(f"what run {run_id} has stored is of another version") from error
        state = given.state
        if max_micro is not None and state is not None:
            state.ledger = state.ledger.model_copy(update={"max_micro": max_micro})
            given = given.model_copy(update={"spec": given.spec.model_copy(update={"max_micro": max_micro})})
        await self._begin(given.model_copy(update={"by": by}))
        await self.check_kept(run_id, name)

    async def output(self, view: PipelineView) -> PipelineOutput:
        """What a run gave, read from the store."""
        outputs = {key: await self.value(ref) for key, ref in view.outputs.items()}
        final = await self.value(view.output) if view.output else None
        return PipelineOutput(view=view, final_output=final, outputs=outputs)

    async def value(self, ref: BlobRef) -> JsonValue:
        """What a step gave."""
        value: JsonValue = json.loads(await self._logs.blob(ref))
        return value

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died."""
        await self._site.heal()

    async def rows(self, limit: int) -> list[PipelineRow]:
        """The latest runs, running ones first."""
        return [await self._row(run) for run in await self.executions(limit)]

    async def _broken_off(self, run_id: str, run: WorkflowExecutionDescription, reason: str) -> PipelineView:
        return PipelineView(
            run_id=run_id,
            workflow_id=run.id,
            pipeline=await run.memo_value(MEMO_PIPELINE, "", type_hint=str),
            version="",
            status=ended(run.status),
            reason=reason,
            started_s=run.start_time.timestamp(),
        )

    async def _row(self, run: WorkflowExecution) -> PipelineRow:
        known = facts(run)
        return PipelineRow(
            run_id=self.kind.run_id(run),
            pipeline=await run.memo_value(MEMO_PIPELINE, "", type_hint=str),
            status=known.status,
            started_s=known.started_s,
            closed_s=known.closed_s,
            spent_usd=known.spent_usd,
            steps_done=known.done,
            steps_total=known.total,
        )
