"""Runs of one kind in a Temporal namespace: found, asked, signalled, waited for; closed ones read."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import QueryRejectCondition, SearchAttributeKey
from temporalio.exceptions import FailureError

from orchestrator.client.rpc import QUERY_TIMEOUT, RPC_TIMEOUT, UPDATE_TIMEOUT, rpc_errors
from orchestrator.client.stored import StoredLogs
from orchestrator.contracts.messages import UPDATES, Request
from orchestrator.contracts.names import QUERY_EVENTS, QUERY_STATUS, SIGNAL_PAUSE, SIGNAL_RESUME
from orchestrator.contracts.project import Event, EventPage
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line

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


class RunView(Protocol):
    """What a run's result and its answer to the query `status` have."""

    @property
    def events(self) -> BlobRef | None:
        """The whole log of a run that has ended."""
        ...


_View = TypeVar("_View", bound=RunView)


@dataclass(frozen=True)
class RunKind(Generic[_View]):
    """One kind of run. `noun` and `listing`, the command that lists them, stand in errors."""

    workflow: str
    workflow_id: Callable[[str], str]
    view: type[_View]
    noun: str
    listing: str

    def unknown(self, run_id: str) -> str:
        """There is none of this id."""
        return f"there is no {self.noun} {run_id!r}; '{self.listing}' shows them"

    def not_running(self, run_id: str) -> str:
        """There is none of this id, or it has ended."""
        return f"no {self.noun} {run_id!r} is running; '{self.listing}' shows them"

    def run_id(self, run: WorkflowExecution) -> str:
        """The id by which users know the run."""
        return run.id.removeprefix(self.workflow_id(""))


@dataclass(frozen=True)
class RunFacts:
    """What a list tells of a run of any kind. Times are seconds since the epoch.

    `status` is RUNNING or COMPLETED where the namespace knows no more.
    """

    status: str
    started_s: float
    closed_s: float | None
    spent_usd: float
    done: int
    total: int


class Runs(ABC, Generic[_View]):
    """Runs of one kind.

    Every method raises PrerequisiteError, in one line, where Temporal, the worker or the store is silent, and
    UserInputError where there is no such run.
    """

    def __init__(self, kind: RunKind[_View], client: Callable[[], Client], logs: StoredLogs) -> None:
        self.kind = kind
        self._connected = client
        self._logs = logs

    @abstractmethod
    async def _broken_off(self, run_id: str, run: WorkflowExecutionDescription, reason: str) -> _View:
        """The result of a run that was terminated or failed, and so gave none."""

    async def view(self, run_id: str) -> _View:
        """The run as it is now, or its result."""
        for _ in range(_CLOSING_RACES):
            description = await self.describe(run_id)
            if not is_open(description):
                return await self._closed(run_id, description)
            with contextlib.suppress(WorkflowQueryRejectedError):  # it was closed, or continued, between the two calls
                return await self._running(run_id)
        raise PrerequisiteError(f"{self.kind.noun} {run_id} is changing just now; try again")

    async def _running(self, run_id: str) -> _View:
        """Raises WorkflowQueryRejectedError where the run is closed."""
        view: _View = await self._query(run_id, QUERY_STATUS, None, self.kind.view)
        return view

    async def events(self, run_id: str, since: int) -> list[Event]:
        """Events after number `since`, in order; of a live run at most a few hundred at a time."""
        page: EventPage | None = await self.ask_running(run_id, QUERY_EVENTS, EventPage, since)
        if page is None:
            return await self.last_events(await self.view(run_id), since)
        return [event for event in (*await self._logs.segments(page.segments), *page.events) if event.seq > since]

    async def last_events(self, view: _View, since: int) -> list[Event]:
        """The same of a run that has ended, whether Temporal answers or not."""
        found = await self._logs.log(view.events) if view.events else []
        return [event for event in found if event.seq > since]

    async def ask_running(self, run_id: str, query: str, answer: Any, argument: int | None = None) -> Any:
        """What a running run answers, as an `answer`; None where it is closed."""
        with contextlib.suppress(WorkflowQueryRejectedError):
            return await self._query(run_id, query, argument, answer)
        return None

    async def wait_closed(self, run_id: str, timeout_s: float) -> _View | None:
        """The result as soon as the run is closed, None where it is not within `timeout_s`."""
        handle = self._client.get_workflow_handle(self.kind.workflow_id(run_id), result_type=self.kind.view)
        try:
            async with asyncio.timeout(timeout_s):
                with rpc_errors(self.address, unknown=self.kind.unknown(run_id)):
                    result: _View = await handle.result()
                    return result
        except TimeoutError:
            return None
        except WorkflowFailureError:
            return await self.view(run_id)

    async def describe(self, run_id: str) -> WorkflowExecutionDescription:
        """The latest execution of the run."""
        with rpc_errors(self.address, unknown=self.kind.unknown(run_id)):
            return await self.handle(run_id).describe(rpc_timeout=RPC_TIMEOUT)

    async def exists(self, run_id: str) -> bool:
        """Whether there is such a run."""
        try:
            await self.describe(run_id)
        except UserInputError:
            return False
        return True

    async def check_kept(self, run_id: str, name: str) -> None:
        """For a run that was just started from the object `name`: terminates it where that was removed meanwhile.

        Nothing can be removed any more once it runs. Raises UserInputError where it was.
        """
        if not await self._logs.exists(name):
            with rpc_errors(self.address):
                await self.handle(run_id).terminate(reason="what it went on with was removed", rpc_timeout=RPC_TIMEOUT)
            raise UserInputError(f"{self.kind.noun} {run_id} was removed just now: there is nothing to go on with")

    async def executions(self, limit: int) -> list[WorkflowExecution]:
        """The latest execution of each run, running ones first."""
        query = f"WorkflowType = '{self.kind.workflow}' AND ExecutionStatus != 'ContinuedAsNew'"
        found: dict[str, WorkflowExecution] = {}
        with rpc_errors(self.address):
            async for run in self._client.list_workflows(query, page_size=limit, rpc_timeout=RPC_TIMEOUT):
                found.setdefault(run.id, run)  # an older one is of a run that was resumed
                if len(found) >= limit:
                    break
        return list(found.values())

    async def pause(self, run_id: str, reason: str = "", by: str = "") -> None:
        """Starts nothing new; calls in flight finish. The projects of a batch are paused with it."""
        await self.signal(run_id, SIGNAL_PAUSE, reason, by)

    async def resume(self, run_id: str, by: str = "") -> None:
        """Ends a pause."""
        await self.signal(run_id, SIGNAL_RESUME, by)

    async def signal(self, run_id: str, name: str, *arguments: str) -> None:
        """Signals a run. Raises UserInputError where it has ended."""
        with rpc_errors(self.address, unknown=self.kind.not_running(run_id)):
            await self.handle(run_id).signal(name, args=arguments, rpc_timeout=RPC_TIMEOUT)

    async def cancel(self, run_id: str) -> None:
        """Asks the run to end as CANCELLED, with what is done. Nothing happens where it has ended."""
        with rpc_errors(self.address, unknown=self.kind.not_running(run_id)):
            await self.handle(run_id).cancel(rpc_timeout=RPC_TIMEOUT)

    async def steer(self, run_id: str, request: Request) -> str:
        """Asks something of a live run; returns one line of what was done.

        Raises UserInputError, with the reason, where the request is rejected or the run has ended.
        """
        with rpc_errors(self.address, unknown=self.kind.not_running(run_id), asked="the worker"):
            try:
                done: str = await self.handle(run_id).execute_update(
                    UPDATES[type(request)], request, result_type=str, rpc_timeout=UPDATE_TIMEOUT
                )
            except WorkflowUpdateFailedError as error:
                cause = error.cause
                reason = cause.message if isinstance(cause, FailureError) else str(cause)
                raise UserInputError(f"{run_id}: {one_line(reason, 1000)}") from None
        return done

    @property
    def address(self) -> str:
        """Of the server."""
        return self._client.service_client.config.target_host

    def handle(self, run_id: str) -> WorkflowHandle[Any, Any]:
        """The latest execution of the run."""
        return self._client.get_workflow_handle(self.kind.workflow_id(run_id))

    @property
    def _client(self) -> Client:
        return self._connected()

    async def _query(self, run_id: str, name: str, argument: int | None, answer: Any) -> Any:
        with rpc_errors(self.address, unknown=self.kind.unknown(run_id), asked="the worker"):
            return await self.handle(run_id).query(
                name,
                args=[] if argument is None else [argument],
                result_type=answer,
                reject_condition=QueryRejectCondition.NOT_OPEN,
                rpc_timeout=QUERY_TIMEOUT,
            )

    async def _closed(self, run_id: str, run: WorkflowExecutionDescription) -> _View:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id, result_type=self.kind.view)
        try:
            with rpc_errors(self.address, unknown=self.kind.unknown(run_id)):
                result: _View = await handle.result(follow_runs=False, rpc_timeout=RPC_TIMEOUT)
                return result
        except WorkflowFailureError as error:
            return await self._broken_off(run_id, run, _reason(error))


def is_open(run: WorkflowExecution) -> bool:
    """Whether the run goes on."""
    return run.status in _RUNNING


def ended(status: WorkflowExecutionStatus | None) -> ProjectStatus:
    """How a run ended that could not tell itself."""
    return _ENDED.get(status or WorkflowExecutionStatus.FAILED, ProjectStatus.SYSTEM_FAILURE)


def facts(run: WorkflowExecution) -> RunFacts:
    """What the namespace tells of a run without asking it."""
    known = run.typed_search_attributes
    broken = not is_open(run) and run.status is not WorkflowExecutionStatus.COMPLETED
    return RunFacts(
        status=ended(run.status).value
        if broken
        else known.get(_STATUS) or ("RUNNING" if is_open(run) else "COMPLETED"),
        started_s=run.start_time.timestamp(),
        closed_s=run.close_time.timestamp() if run.close_time else None,
        spent_usd=known.get(_SPENT) or 0.0,
        done=known.get(_DONE) or 0,
        total=known.get(_TOTAL) or 0,
    )


def _reason(error: WorkflowFailureError) -> str:
    cause = error.cause
    message = cause.message if isinstance(cause, FailureError) else str(cause)
    return one_line(message) or type(cause).__name__
