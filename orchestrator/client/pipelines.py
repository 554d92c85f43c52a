"""Runs of pipelines in a Temporal namespace: started, followed, steered and read."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import FailureError
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.publish import run_name
from orchestrator.artifacts.store import ArtifactError, ArtifactStore
from orchestrator.client.rpc import QUERY_TIMEOUT, RPC_TIMEOUT, rpc_errors
from orchestrator.contracts.names import (
    MEMO_MAX_USD,
    MEMO_PIPELINE,
    PIPELINE_WORKFLOW,
    QUERY_EVENTS,
    QUERY_STATUS,
    QUEUE_WORKFLOWS,
    SIGNAL_PAUSE,
    SIGNAL_RESUME,
    pipeline_workflow_id,
)
from orchestrator.contracts.pipeline import PipelineInput, PipelineRunSpec, PipelineView
from orchestrator.contracts.project import Event, EventPage
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line

_CLOSING_RACES = 3
_SUMMARY_CHARS = 100
_RUNNING = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
_EVENTS = TypeAdapter(list[Event])
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_SPENT = SearchAttributeKey.for_float("OrchSpentUsd")
_DONE = SearchAttributeKey.for_int("OrchTasksDone")
_TOTAL = SearchAttributeKey.for_int("OrchTasksTotal")


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


@dataclass(frozen=True)
class Site:
    """Where runs live. `ready` starts what is missing and tells whether the namespace has our search attributes."""

    client: Callable[[], Client]
    store: ArtifactStore
    ready: Callable[[], Awaitable[bool]]
    heal: Callable[[], Awaitable[None]]
    task_timeout: timedelta | None


class PipelineRuns:
    """Runs of pipelines.

    Every method raises PrerequisiteError, in one line, where Temporal, the worker or the store is silent, and
    UserInputError where there is no such run.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def start(self, spec: PipelineRunSpec) -> str:
        """Starts a run and returns its id."""
        await self._begin(PipelineInput(spec=spec))
        return spec.run_id

    async def _begin(self, given: PipelineInput) -> None:
        spec = given.spec
        registered = await self._site.ready()
        name = spec.plan.spec.name[:_SUMMARY_CHARS]
        running = TypedSearchAttributes([SearchAttributePair(_STATUS, ProjectStatus.RUNNING.value)])
        with rpc_errors(self._address):
            await self._client.start_workflow(
                PIPELINE_WORKFLOW,
                given.model_copy(update={"spec": spec.model_copy(update={"search_attributes": registered})}),
                id=pipeline_workflow_id(spec.run_id),
                task_queue=QUEUE_WORKFLOWS,
                task_timeout=self._site.task_timeout,
                memo={MEMO_PIPELINE: name, MEMO_MAX_USD: usd(spec.max_micro) if spec.capped else 0.0},
                search_attributes=running if registered else None,
                static_summary=one_line(name, _SUMMARY_CHARS),
                rpc_timeout=RPC_TIMEOUT,
            )

    async def restart(self, run_id: str, max_micro: int | None = None, by: str = "") -> None:
        """Starts an ended run again where it stopped, under a new cap if one is given.

        Done steps stay done, earlier spending counts. Raises UserInputError where there is nothing to go on with.
        """
        view = await self.view(run_id)
        if view.status is ProjectStatus.SUCCESS:
            raise UserInputError(f"run {run_id} is complete: there is nothing to resume")
        data = await self._site.store.read_named(run_name(self._client.namespace, run_id, "input.json"))
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

    async def exists(self, run_id: str) -> bool:
        """Whether there is such a run."""
        try:
            await self._handle(run_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return False
            with rpc_errors(self._address):
                raise
        return True

    async def view(self, run_id: str) -> PipelineView:
        """The run as it is now, or its result."""
        for _ in range(_CLOSING_RACES):
            with rpc_errors(self._address, unknown=_unknown(run_id)):
                description = await self._handle(run_id).describe(rpc_timeout=RPC_TIMEOUT)
            if description.status not in _RUNNING:
                return await self._closed(description)
            with contextlib.suppress(WorkflowQueryRejectedError):
                view: PipelineView = await self._query(run_id, QUERY_STATUS, None, PipelineView)
                return view
        raise PrerequisiteError(f"run {run_id} is changing just now; try again")

    async def events(self, run_id: str, since: int) -> list[Event]:
        """Events after number `since`, in order; of a live run at most a few hundred at a time."""
        with contextlib.suppress(WorkflowQueryRejectedError):
            page: EventPage = await self._query(run_id, QUERY_EVENTS, since, EventPage)
            earlier = [event for ref in page.segments for event in _EVENTS.validate_json(await self._get(ref))]
            return [event for event in (*earlier, *page.events) if event.seq > since]
        log = (await self.view(run_id)).events
        lines = (await self._get(log)).splitlines() if log else []
        return [event for line in lines if (event := Event.model_validate_json(line)).seq > since]

    async def wait_closed(self, run_id: str, timeout_s: float) -> PipelineView | None:
        """The result as soon as the run is closed, None where it is not within `timeout_s`."""
        handle = self._client.get_workflow_handle(pipeline_workflow_id(run_id), result_type=PipelineView)
        try:
            async with asyncio.timeout(timeout_s):
                with rpc_errors(self._address, unknown=_unknown(run_id)):
                    result: PipelineView = await handle.result()
                    return result
        except TimeoutError:
            return None
        except WorkflowFailureError:
            return await self.view(run_id)

    async def output(self, view: PipelineView) -> PipelineOutput:
        """What a run gave, read from the store."""
        outputs = {key: await self.value(ref) for key, ref in view.outputs.items()}
        final = await self.value(view.output) if view.output else None
        return PipelineOutput(view=view, final_output=final, outputs=outputs)

    async def value(self, ref: BlobRef) -> JsonValue:
        """What a step gave."""
        value: JsonValue = json.loads(await self._get(ref))
        return value

    async def pause(self, run_id: str, reason: str = "", by: str = "") -> None:
        """Starts nothing new; calls in flight finish."""
        await self._signal(run_id, SIGNAL_PAUSE, reason, by)

    async def resume(self, run_id: str, by: str = "") -> None:
        """Ends a pause."""
        await self._signal(run_id, SIGNAL_RESUME, by)

    async def cancel(self, run_id: str) -> None:
        """Asks the run to end as CANCELLED."""
        with rpc_errors(self._address, unknown=_unknown(run_id)):
            await self._handle(run_id).cancel(rpc_timeout=RPC_TIMEOUT)

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died."""
        await self._site.heal()

    async def rows(self, limit: int) -> list[PipelineRow]:
        """The latest runs, running ones first."""
        query = f"WorkflowType = '{PIPELINE_WORKFLOW}' AND ExecutionStatus != 'ContinuedAsNew'"
        rows = []
        with rpc_errors(self._address):
            async for run in self._client.list_workflows(query, page_size=limit, rpc_timeout=RPC_TIMEOUT):
                rows.append(await _row(run))
                if len(rows) >= limit:
                    break
        return rows

    @property
    def _client(self) -> Client:
        return self._site.client()

    @property
    def _address(self) -> str:
        return self._client.service_client.config.target_host

    def _handle(self, run_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(pipeline_workflow_id(run_id))

    async def _query(self, run_id: str, name: str, argument: int | None, answer: Any) -> Any:
        with rpc_errors(self._address, unknown=_unknown(run_id), asked="the worker"):
            return await self._handle(run_id).query(
                name,
                args=[] if argument is None else [argument],
                result_type=answer,
                reject_condition=QueryRejectCondition.NOT_OPEN,
                rpc_timeout=QUERY_TIMEOUT,
            )

    async def _signal(self, run_id: str, name: str, *arguments: str) -> None:
        with rpc_errors(self._address, unknown=f"no run {run_id!r} is going on; 'orch-cli pipeline list' shows them"):
            await self._handle(run_id).signal(name, args=arguments, rpc_timeout=RPC_TIMEOUT)

    async def _closed(self, run: WorkflowExecution) -> PipelineView:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id, result_type=PipelineView)
        try:
            with rpc_errors(self._address):
                result: PipelineView = await handle.result(follow_runs=False, rpc_timeout=RPC_TIMEOUT)
                return result
        except WorkflowFailureError as error:
            cause = error.cause
            reason = one_line(cause.message if isinstance(cause, FailureError) else str(cause))
            return PipelineView(
                run_id=run.id.removeprefix(pipeline_workflow_id("")),
                workflow_id=run.id,
                pipeline=await run.memo_value(MEMO_PIPELINE, "", type_hint=str),
                version="",
                status=_ended(run.status),
                reason=reason or type(cause).__name__,
                started_s=run.start_time.timestamp(),
            )

    async def _get(self, ref: BlobRef) -> bytes:
        try:
            return await self._site.store.get(ref)
        except ArtifactError as error:
            raise PrerequisiteError(f"{error}; is this the store that the worker writes to?") from error


def _unknown(run_id: str) -> str:
    return f"there is no run {run_id!r} of a pipeline; 'orch-cli pipeline list' shows them"


def _ended(status: WorkflowExecutionStatus | None) -> ProjectStatus:
    """How a run ended that could not tell itself."""
    return ProjectStatus.CANCELLED if status is WorkflowExecutionStatus.CANCELED else ProjectStatus.SYSTEM_FAILURE


async def _row(run: WorkflowExecution) -> PipelineRow:
    known = run.typed_search_attributes
    broken = run.status not in (*_RUNNING, WorkflowExecutionStatus.COMPLETED)
    status = _ended(run.status).value if broken else known.get(_STATUS)
    return PipelineRow(
        run_id=run.id.removeprefix(pipeline_workflow_id("")),
        pipeline=await run.memo_value(MEMO_PIPELINE, "", type_hint=str),
        status=status or ("RUNNING" if run.status in _RUNNING else "COMPLETED"),
        started_s=run.start_time.timestamp(),
        closed_s=run.close_time.timestamp() if run.close_time else None,
        spent_usd=known.get(_SPENT) or 0.0,
        steps_done=known.get(_DONE) or 0,
        steps_total=known.get(_TOTAL) or 0,
    )
