"""Which task queues of a cluster are polled by a worker."""

import asyncio
from collections.abc import Iterable

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from orchestrator.client.rpc import RPC_TIMEOUT, rpc_errors
from orchestrator.contracts.names import QUEUE_TOOLS, QUEUE_WORKFLOWS, queue_for
from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec

_WORKFLOW = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_ACTIVITY = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


class VendorsServed(Frozen):
    """Vendors whose calls some worker makes, and those whose calls none makes."""

    served: tuple[str, ...]
    unserved: tuple[str, ...]


async def unpolled_queues(client: Client) -> list[str]:
    """The queues that every run needs, as far as no worker polls them. Raises PrerequisiteError."""
    needed = ((QUEUE_WORKFLOWS, _WORKFLOW), (QUEUE_TOOLS, _ACTIVITY))
    polled = await asyncio.gather(*(_is_polled(client, queue, kind) for queue, kind in needed))
    return [queue for (queue, _), is_polled in zip(needed, polled, strict=True) if not is_polled]


async def vendors_served(client: Client, models: Iterable[ModelSpec]) -> VendorsServed:
    """Whose models the workers can ask, among the vendors of `models`. Raises PrerequisiteError."""
    queues = {model.vendor: queue_for(model, apart=True) for model in models}
    names = sorted(set(queues.values()))
    polled = await asyncio.gather(*(_is_polled(client, name, _ACTIVITY) for name in names))
    served = {name for name, is_polled in zip(names, polled, strict=True) if is_polled}
    return VendorsServed(
        served=tuple(vendor for vendor, queue in queues.items() if queue in served),
        unserved=tuple(vendor for vendor, queue in queues.items() if queue not in served),
    )


async def _is_polled(client: Client, queue: str, kind: "TaskQueueType.ValueType") -> bool:
    """A worker counts for some minutes after its last poll."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    with rpc_errors(client.service_client.config.target_host):
        described = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    return bool(described.pollers)
