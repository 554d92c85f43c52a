"""Which vendors the workers of a cluster speak to: those whose queue is polled."""

import asyncio
import time
from collections.abc import Collection, Mapping

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

# Workers of a deployment begin at different times: a run that comes too early must not do without models.
PATIENCE_S = 60.0
_LOOK_AGAIN_S = 1.0


async def polled_vendors(queues: Mapping[str, str], own: Collection[str]) -> tuple[str, ...]:
    """The vendors of `queues` (vendor to queue) that a worker serves, `own` (this process's) among them.

    Waits up to a minute for the first. To be called in an activity; raises RPCError.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        names = sorted(set(queues.values()))
        polled = dict(zip(names, await asyncio.gather(*(_is_polled(name) for name in names)), strict=True))
        vendors = tuple(vendor for vendor, queue in queues.items() if vendor in own or polled[queue])
        if vendors or time.monotonic() >= deadline:
            return vendors
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _is_polled(queue: str) -> bool:
    client = activity.client()
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        ),
        retry=True,
    )
    return bool(described.pollers)
