"""Reading runs: queries while they run, the result or the published state once they are closed."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition, SearchAttributeKey
from temporalio.exceptions import FailureError

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.rpc import QUERY_TIMEOUT, RPC_TIMEOUT, rpc_errors
from orchestrator.client.stored import StoredRuns
from orchestrator.contracts.names import (
    MEMO_FINGERPRINT,
    MEMO_KEYWORDS,
    MEMO_MAX_USD,
    MEMO_PROJECT,
    PROJECT_WORKFLOW,
    QUERY_BUDGET,
    QUERY_EVENTS,
    QUERY_PLAN,
    QUERY_STATUS,
    QUERY_SUGGESTIONS,
    QUERY_TASKS,
    workflow_id,
)
from orchestrator.contracts.project import BudgetView, Event, EventPage, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.state import ProjectState, budget_view
from orchestrator.domain.answers import PlannedTask, Suggestion
from orchestrator.domain.base import Frozen
from orchestrator.domain.enhancing import Enhancement
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import micro
from orchestrator.domain.tasks import TaskSpec
from orchestrator.domain.text import one_line

TASKS_PER_PAGE = 200

_CLOSING_RACES = 3
_RUNNING = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
# How a run ended that could not tell itself.
_ENDED = {
    WorkflowExecutionStatus.CANCELED: ProjectStatus.CANCELLED,
    WorkflowExecutionStatus.TIMED_OUT: ProjectStatus.TIMEOUT,
}
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_SPENT = SearchAttributeKey.for_float("OrchSpentUsd")
_DONE = SearchAttributeKey.for_int("OrchTasksDone")
_TOTAL = SearchAttributeKey.for_int("OrchTasksTotal")


class ProjectRow(Frozen):
    """One run in a list. Times are seconds since the epoch; `project` is the first line of the text.

    `status` is RUNNING or COMPLETED where the namespace knows no more.
    """

    project_id: str
    status: str
    started_s: float
    closed_s: float | None
    project: str
    spent_usd: float
    tasks_done: int
    tasks_total: int
    fingerprint: str = ""  # of project text and criteria
    keywords: str = ""


class RunReader:
    """Reads runs of one namespace. Methods raise PrerequisiteError where Temporal or the worker is silent."""

    def __init__(self, client: Client, store: ArtifactStore) -> None:
        self._client = client
        self.stored = StoredRuns(store, client.namespace)
        self._address = client.service_client.config.target_host

    async def view(self, project_id: str) -> ProjectView:
        """The run as it is now, with all its tasks. Raises UserInputError where there is no such run."""
        for _ in range(_CLOSING_RACES):
            description = await self._describe(project_id)
            if description.status not in _RUNNING:
                return await self._closed(project_id, description)
            try:
                return await self._running(project_id)
            except WorkflowQueryRejectedError:
                continue  # it was closed, or continued as new, between the two calls
        raise PrerequisiteError(f"project {project_id} is changing just now; try again")

    async def events(self, project_id: str, since: int) -> list[Event]:
        """Events after number `since`, in order; of a running project at most a few hundred at a time."""
        if (await self._describe(project_id)).status in _RUNNING:
            with contextlib.suppress(WorkflowQueryRejectedError):
                page: EventPage = await self._query(project_id, QUERY_EVENTS, since, EventPage)
                earlier = await self.stored.segments(page.segments)
                return [event for event in (*earlier, *page.events) if event.seq > since]
        log = (await self.view(project_id)).events
        return [event for event in await self.stored.log(log) if event.seq > since] if log else []

    async def budget(self, project_id: str) -> BudgetView:
        """Money and time of the run, or as they were when it ended."""
        running: BudgetView | None = await self._ask_running(project_id, QUERY_BUDGET, BudgetView)
        if running is not None:
            return running
        return budget_view(await self._state(project_id), 0, (await self.view(project_id)).elapsed_s)

    async def plan(self, project_id: str) -> tuple[PlannedTask, ...]:
        """The plan with its instructions; empty before there is one."""
        specs: list[TaskSpec] | None = await self._ask_running(project_id, QUERY_PLAN, list[TaskSpec])
        if specs is None:
            specs = list((await self._state(project_id)).plan)
        return await self.stored.planned(specs)

    async def suggestions(self, project_id: str) -> dict[str, Suggestion]:
        """Suggestions that wait for a choice, by id; empty where none do."""
        found: Enhancement | None = await self._ask_running(project_id, QUERY_SUGGESTIONS, Enhancement | None)
        if found is None or found.chosen is not None or found.texts is None:
            return {}
        texts = await self.stored.suggestions(found.texts)
        return {known.id: text for known, text in zip(found.suggestions, texts, strict=True)}

    async def _ask_running(self, project_id: str, query: str, answer: Any) -> Any:
        """The running project's answer; None where the run is closed."""
        if (await self._describe(project_id)).status in _RUNNING:
            with contextlib.suppress(WorkflowQueryRejectedError):
                return await self._query(project_id, query, None, answer)
        return None

    async def _state(self, project_id: str) -> ProjectState:
        state = await self.stored.state(project_id)
        if state is None:
            raise UserInputError(f"project {project_id} ended before it stored anything")
        return state

    async def wait_closed(self, project_id: str, timeout_s: float) -> ProjectView | None:
        """The result as soon as the run is closed, None where it is not within `timeout_s`."""
        handle = self._client.get_workflow_handle(workflow_id(project_id), result_type=ProjectView)
        try:
            async with asyncio.timeout(timeout_s):
                with rpc_errors(self._address, unknown=_unknown(project_id)):
                    result: ProjectView = await handle.result()
                    return result
        except TimeoutError:
            return None
        except WorkflowFailureError:
            return await self.view(project_id)

    async def rows(self, limit: int) -> list[ProjectRow]:
        """The latest runs, one row per project, running ones first."""
        query = f"WorkflowType = '{PROJECT_WORKFLOW}' AND ExecutionStatus != 'ContinuedAsNew'"
        rows: dict[str, ProjectRow] = {}
        with rpc_errors(self._address):
            async for run in self._client.list_workflows(query, page_size=limit, rpc_timeout=RPC_TIMEOUT):
                if run.id not in rows:  # an older run of a resumed project
                    rows[run.id] = await _row(run)
                if len(rows) >= limit:
                    break
        return list(rows.values())

    async def row(self, project_id: str) -> ProjectRow | None:
        """The latest run of one project; None where there is no such project."""
        try:
            return await _row(await self._describe(project_id))
        except UserInputError:
            return None

    async def _describe(self, project_id: str) -> WorkflowExecutionDescription:
        with rpc_errors(self._address, unknown=_unknown(project_id)):
            return await self._handle(project_id).describe(rpc_timeout=RPC_TIMEOUT)

    async def _running(self, project_id: str) -> ProjectView:
        head: ProjectView = await self._query(project_id, QUERY_STATUS, None, ProjectView)
        pages = range(-(-head.tasks_total // TASKS_PER_PAGE))
        tasks: list[TaskView] = []
        for page in pages:
            tasks += await self._query(project_id, QUERY_TASKS, page, list[TaskView])
        return head.model_copy(update={"tasks": tuple(tasks)})

    async def _query(self, project_id: str, name: str, argument: int | None, answer: Any) -> Any:
        with rpc_errors(self._address, unknown=_unknown(project_id), asked="the worker"):
            return await self._handle(project_id).query(
                name,
                args=[] if argument is None else [argument],
                result_type=answer,
                reject_condition=QueryRejectCondition.NOT_OPEN,
                rpc_timeout=QUERY_TIMEOUT,
            )

    async def _closed(self, project_id: str, description: WorkflowExecutionDescription) -> ProjectView:
        handle = self._client.get_workflow_handle(description.id, run_id=description.run_id, result_type=ProjectView)
        try:
            with rpc_errors(self._address, unknown=_unknown(project_id)):
                result: ProjectView = await handle.result(follow_runs=False, rpc_timeout=RPC_TIMEOUT)
                return result
        except WorkflowFailureError as error:
            return await self._broken_off(project_id, description, _reason(error))

    async def _broken_off(self, project_id: str, description: WorkflowExecutionDescription, reason: str) -> ProjectView:
        """A run that was terminated or failed: its last published state, and how it ended."""
        last = await self.stored.view(project_id) or await self._empty(project_id, description)
        status = _ENDED.get(description.status or WorkflowExecutionStatus.FAILED, ProjectStatus.SYSTEM_FAILURE)
        return last.model_copy(
            update={
                "status": status,
                "reason": reason,
                # Nobody will settle the calls that were in flight: their fate is unknown.
                "uncertain_micro": last.uncertain_micro + last.reserved_micro,
                "reserved_micro": 0,
                "elapsed_s": _elapsed_s(description),
                "tasks": tuple(_stopped(task) for task in last.tasks),
            }
        )

    async def _empty(self, project_id: str, description: WorkflowExecutionDescription) -> ProjectView:
        return ProjectView(
            project_id=project_id,
            workflow_id=description.id,
            status=ProjectStatus.SYSTEM_FAILURE,
            spent_micro=0,
            uncertain_micro=0,
            reserved_micro=0,
            max_micro=micro(await description.memo_value(MEMO_MAX_USD, 0.0, type_hint=float)),
            quality_score=None,
            calls=0,
            elapsed_s=0.0,
            simulated=False,
        )

    def _handle(self, project_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(workflow_id(project_id))


def _unknown(project_id: str) -> str:
    return f"there is no project {project_id!r}; 'orch-cli list' shows them"


def _reason(error: WorkflowFailureError) -> str:
    cause = error.cause
    message = cause.message if isinstance(cause, FailureError) else str(cause)
    return one_line(message) or type(cause).__name__


def _stopped(task: TaskView) -> TaskView:
    return task.model_copy(update={"status": "PENDING", "stage": ""}) if task.status == "RUNNING" else task


def _elapsed_s(run: WorkflowExecution) -> float:
    return ((run.close_time or datetime.now(UTC)) - run.start_time).total_seconds()


async def _row(run: WorkflowExecution) -> ProjectRow:
    known = run.typed_search_attributes
    status = known.get(_STATUS)
    if run.status in (
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TIMED_OUT,
    ):
        status = _ENDED.get(run.status, ProjectStatus.SYSTEM_FAILURE).value
    return ProjectRow(
        project_id=run.id.removeprefix(workflow_id("")),
        status=status or ("RUNNING" if run.status in _RUNNING else "COMPLETED"),
        started_s=run.start_time.timestamp(),
        closed_s=run.close_time.timestamp() if run.close_time else None,
        project=await run.memo_value(MEMO_PROJECT, "", type_hint=str),
        spent_usd=known.get(_SPENT) or 0.0,
        tasks_done=known.get(_DONE) or 0,
        tasks_total=known.get(_TOTAL) or 0,
        fingerprint=await run.memo_value(MEMO_FINGERPRINT, "", type_hint=str),
        keywords=await run.memo_value(MEMO_KEYWORDS, "", type_hint=str),
    )
