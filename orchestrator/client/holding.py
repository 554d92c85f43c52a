"""No run can start under an id whose traces are being removed: the server itself sees to that."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import Enum

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client.rpc import RPC_TIMEOUT
from orchestrator.contracts.names import QUEUE_NOBODY, RETENTION_HOLD
from orchestrator.domain.errors import PrerequisiteError, UserInputError

_AT_MOST = timedelta(minutes=5)  # then the server ends the hold of a process that died
_LOOKS, _LOOK_EVERY_S = 20, 0.1
_REFUSED = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED)


class Hold:
    """A workflow id that is kept from being used, for a while."""

    def __init__(self) -> None:
        self._until_s = time.time() + _AT_MOST.total_seconds() / 2

    def check(self) -> None:
        """Raises PrerequisiteError where it took so long that the id may be free soon: remove nothing more."""
        if time.time() > self._until_s:
            raise PrerequisiteError("removing one run took too long; do it again: what is gone stays gone")


class RunsNowError(UserInputError):
    """The run goes on, or started just now: nothing of it may be removed."""


@asynccontextmanager
async def held(client: Client, workflow_id: str) -> AsyncIterator[Hold]:
    """Keeps the workflow id taken, so that no run starts under it.

    Raises RunsNowError where a run is open under it, or another process holds it; RPCError.
    """
    hold = Hold()
    try:
        handle = await client.start_workflow(
            RETENTION_HOLD,
            id=workflow_id,
            task_queue=QUEUE_NOBODY,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            execution_timeout=_AT_MOST,
            rpc_timeout=RPC_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        raise RunsNowError(await _why(client, workflow_id)) from None
    assert handle.first_execution_run_id is not None
    try:
        yield hold
    finally:
        if await delete_execution(client, workflow_id, handle.first_execution_run_id) is Deletion.REFUSED:
            await handle.terminate(reason="what the run left was removed", rpc_timeout=RPC_TIMEOUT)
        await _until_gone(client, workflow_id)


class Deletion(Enum):
    """What came of removing a history. Lists may show it for half a minute more."""

    DONE = "done"
    GONE = "gone"  # there was none
    REFUSED = "refused"  # the server does not let us


async def delete_execution(client: Client, workflow_id: str, run_id: str) -> Deletion:
    """Removes one history. Raises RPCError."""
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
    )
    try:
        await client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status in _REFUSED:
            return Deletion.REFUSED
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return Deletion.GONE
    return Deletion.DONE


async def _until_gone(client: Client, workflow_id: str) -> None:
    """Waits, not for long, until the server has done what it has agreed to: it removes histories by and by."""
    for _ in range(_LOOKS):
        try:
            await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError:
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _why(client: Client, workflow_id: str) -> str:
    with suppress(RPCError):
        run = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        if run.workflow_type == RETENTION_HOLD:
            return f"{workflow_id} is being removed by another process"
    return f"{workflow_id} is running: nothing of it is removed; cancel it first"
