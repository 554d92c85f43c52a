"""Which content of the store Temporal names: in histories of runs, and in what schedules will start."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeScheduleRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.sweeping import digests
from orchestrator.client.rpc import RPC_TIMEOUT
from orchestrator.contracts.names import WORKFLOW_TYPES

_LARGE_PAGE = 1000
_READABLE = (b"json/plain", b"binary/plain", b"binary/null")  # neither compressed, sealed nor kept elsewhere


async def executions(client: Client, query: str = "") -> AsyncIterator[WorkflowExecution]:
    """All executions of our workflows that the namespace knows, each run of a chain. Raises RPCError."""
    types = ", ".join(f"'{name}'" for name in WORKFLOW_TYPES)
    ours = f"WorkflowType IN ({types})" + (f" AND {query}" if query else "")
    async for run in client.list_workflows(ours, page_size=_LARGE_PAGE, rpc_timeout=RPC_TIMEOUT):
        yield run


async def in_history(client: Client, workflow_id: str, run_id: str) -> set[str]:
    """Digests that stand in one execution's history, also in payloads that lie in the store; none if it is gone.

    Raises RPCError.
    """
    found: set[str] = set()
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async for event in handle.fetch_history_events(rpc_timeout=RPC_TIMEOUT):
            found |= await _in_message(client, event)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
    return found


async def in_schedules(client: Client) -> set[str]:
    """Digests that stand in what the namespace's schedules start. Raises RPCError."""
    found: set[str] = set()
    async for listed in await client.list_schedules(rpc_timeout=RPC_TIMEOUT):
        request = DescribeScheduleRequest(namespace=client.namespace, schedule_id=listed.id)
        try:
            told = await client.workflow_service.describe_schedule(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                continue
            raise
        found |= await _in_message(client, told)
    return found


async def _in_message(client: Client, message: Message) -> set[str]:
    found: set[str] = set()
    for payload in _payloads(message):
        found |= digests(payload.data)  # a payload that lies in the store has its digest here
        if payload.metadata.get("encoding") in _READABLE:
            continue
        try:
            values = await client.data_converter.decode([payload])
        except ArtifactError:  # lost: whatever it named cannot be reached by it
            continue
        found |= digests(json.dumps(values, default=_plain).encode())
    return found


def _payloads(message: Message) -> Iterator[Payload]:
    """All payloads in a message, at any depth."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = value.values() if field.message_type.fields_by_name["value"].message_type else ()
        else:
            inner = value if field.is_repeated else (value,)
        for one in inner:
            yield from _payloads(one)


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
