"""Versions of the workers' code: which one gets new runs, and which ones still have some.

Temporal calls them versions of a worker deployment. Runs of projects and pipelines stay with the version that they
began with (docs/upgrades.md).
"""

import asyncio
import time
from enum import StrEnum

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus as Status
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client.rpc import RPC_TIMEOUT, UPDATE_TIMEOUT, rpc_errors
from orchestrator.contracts.names import DEPLOYMENT, QUEUE_WORKFLOWS
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.text import one_line

PATIENCE_S = 30.0
_LOOK_AGAIN_S = 0.2
_NOT_READY = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)


class VersionState(StrEnum):
    """What a version is there for."""

    NEW = "new"  # its workers wait to be promoted
    CURRENT = "current"  # gets all new runs
    RAMPING = "ramping"  # gets a share of the new runs
    DRAINING = "draining"  # has runs that began with it: its workers must stay
    DRAINED = "drained"  # has none any more: its workers can go


_STATES = {
    Status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: VersionState.CURRENT,
    Status.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: VersionState.RAMPING,
    Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: VersionState.DRAINING,
    Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: VersionState.DRAINED,
}


class WorkerVersion(Frozen):
    """One version. `build_id` is what its workers were started with."""

    build_id: str
    state: VersionState
    created_s: float  # since the epoch


async def worker_versions(client: Client) -> list[WorkerVersion]:
    """All versions that have had workers, the latest first; none where there are no versions.

    Raises PrerequisiteError.
    """
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    with rpc_errors(_address(client)):
        try:
            described = await client.workflow_service.describe_worker_deployment(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return []
            raise
    found = [
        WorkerVersion(
            build_id=summary.deployment_version.build_id,
            state=_STATES.get(summary.status, VersionState.NEW),
            created_s=summary.create_time.ToMicroseconds() / 1e6,
        )
        for summary in described.worker_deployment_info.version_summaries
    ]
    return sorted(found, key=lambda version: version.created_s, reverse=True)


async def promote(client: Client, build_id: str, by: str, patience_s: float = PATIENCE_S) -> None:
    """New runs go to the workers of this version from now on.

    Workers that have just been started are waited for. Raises UserInputError where there are none after `patience_s`,
    or none for a queue that the present version serves; PrerequisiteError.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build_id, identity=by
    )
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with rpc_errors(_address(client)):
                await client.workflow_service.set_worker_deployment_current_version(request, timeout=UPDATE_TIMEOUT)
        except PrerequisiteError as error:
            cause = error.__cause__
            if not isinstance(cause, RPCError) or cause.status not in _NOT_READY:
                raise
            if time.monotonic() > deadline:
                raise UserInputError(f"version {build_id!r} is not ready: {one_line(cause.message)}") from None
        else:
            break
        await asyncio.sleep(_LOOK_AGAIN_S)
    while True:  # the queue learns of it up to two seconds later: until then a new run would go to the old version
        if await _current(client) == build_id or time.monotonic() > deadline:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _current(client: Client) -> str:
    """The build id that new runs are given to."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=QUEUE_WORKFLOWS),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    with rpc_errors(_address(client)):
        described = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    return described.versioning_info.current_deployment_version.build_id


def _address(client: Client) -> str:
    return client.service_client.config.target_host
