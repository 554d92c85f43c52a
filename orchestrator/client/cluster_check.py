"""What a configured cluster lacks, and what to do about it. Looks only; of the store it writes and removes a probe."""

import asyncio
import time
import uuid
from collections.abc import Awaitable
from typing import Literal

from temporalio import __version__ as sdk_version
from temporalio.api.enums.v1 import IndexedValueType, NamespaceState, TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.store import ArtifactStore, open_store
from orchestrator.catalog import load_catalog
from orchestrator.client.connection import connect
from orchestrator.client.namespace import missing_attributes
from orchestrator.client.polling import vendors_served
from orchestrator.client.rpc import RPC_TIMEOUT
from orchestrator.contracts.names import QUEUE_TOOLS, QUEUE_WORKFLOWS
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import OrchError, PrerequisiteError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

CHECK_S = 12.0  # each, whoever does not answer
_CLOCKS_S = 60.0  # workers ask for work once a minute at least: closer their traces do not tell the server's time
_STORE_CLOCK_S = 30.0  # object stores refuse requests of clocks that are minutes off
_NEEDED = (
    (QUEUE_WORKFLOWS, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
    (QUEUE_TOOLS, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
)
_WORKERS = "start workers: 'orch-cli worker run' (docs/workers.md)"

Verdict = Literal["ok", "note", "missing"]


class ClusterCheck(Frozen):
    """One thing that was looked at. Only `missing` keeps runs from going on; `fix` is one line."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


async def check_cluster(settings: Settings) -> list[ClusterCheck]:
    """All checks of the Temporal that is configured. Takes 12 s where nothing answers."""
    try:
        async with asyncio.timeout(CHECK_S):
            client = await connect(settings, say=lambda _: None, start_services=False)
    except (OrchError, TimeoutError) as error:
        detail = one_line(str(error)) or f"no answer within {CHECK_S:g} s"
        return [
            ClusterCheck(name="temporal", verdict="missing", detail=detail, fix="correct TEMPORAL_ADDRESS or profile")
        ]
    first = [*await _told("temporal", _connection(client)), *await _told("namespace", _namespace(client))]
    if any(check.verdict == "missing" for check in first):
        return first
    groups = await asyncio.gather(
        _told("search attributes", _attributes(client)),
        _told("workers", _workers(client)),
        _told("vendors", _vendors(client, settings)),
    )
    return [*first, *(check for group in groups for check in group)]


async def check_store(settings: Settings) -> list[ClusterCheck]:
    """Whether the artifact store takes, gives back and guards what is written. Takes 12 s at most."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await _store(open_store(settings), settings.store_url)
    except TimeoutError:
        detail = f"{settings.store_url}: no answer within {CHECK_S:g} s"
    except (ArtifactError, ArtifactUnavailableError, OrchError) as error:
        detail = one_line(str(error))
    return [
        ClusterCheck(name="artifacts", verdict="missing", detail=detail, fix="correct ORCH_ARTIFACTS_URL or access")
    ]


async def _told(name: str, checks: Awaitable[list[ClusterCheck]]) -> list[ClusterCheck]:
    """The checks; a failure of the server's as one."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await checks
    except TimeoutError:
        detail = f"no answer within {CHECK_S:g} s"
    except RPCError as error:
        detail = one_line(f"{error.status.name.lower()}: {error.message}")
    except PrerequisiteError as error:
        detail = one_line(str(error))
    return [ClusterCheck(name=name, verdict="missing", detail=detail, fix="check the server, and what our key may do")]


async def _connection(client: Client) -> list[ClusterCheck]:
    system = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=RPC_TIMEOUT)
    address = client.service_client.config.target_host
    detail = f"{address}, server {system.server_version or 'of unknown version'}, SDK {sdk_version}"
    return [ClusterCheck(name="temporal", verdict="ok", detail=detail)]


async def _namespace(client: Client) -> list[ClusterCheck]:
    name = client.namespace
    try:
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        fix = f"temporal operator namespace create --namespace {name} --retention 30d"
        return [ClusterCheck(name="namespace", verdict="missing", detail=f"{name} does not exist", fix=fix)]
    if described.namespace_info.state != NamespaceState.NAMESPACE_STATE_REGISTERED:
        detail = f"{name} is being deleted"
        return [ClusterCheck(name="namespace", verdict="missing", detail=detail, fix="use another namespace")]
    kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
    return [ClusterCheck(name="namespace", verdict="ok", detail=f"{name}, closed runs are kept {kept.days} days")]


async def _attributes(client: Client) -> list[ClusterCheck]:
    name = "search attributes"
    missing = await missing_attributes(client)
    if not missing:
        return [ClusterCheck(name=name, verdict="ok", detail="all registered")]
    options = " ".join(f"--name {attribute} --type {_type_name(kind)}" for attribute, kind in sorted(missing.items()))
    fix = f"temporal operator search-attribute create --namespace {client.namespace} {options}"
    detail = f"not registered: {', '.join(sorted(missing))}; runs work, and cannot be searched by them"
    return [ClusterCheck(name=name, verdict="note", detail=detail, fix=fix)]


def _type_name(kind: "IndexedValueType.ValueType") -> str:
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title()


async def _workers(client: Client) -> list[ClusterCheck]:
    """The queues that every run needs; and by the last questions of workers, how far apart the clocks are."""
    polled = await asyncio.gather(*(_pollers(client, queue, kind) for queue, kind in _NEEDED))
    checks = []
    for (queue, _), pollers in zip(_NEEDED, polled, strict=True):
        workers = {poller.identity for poller in pollers}
        if workers:
            checks.append(ClusterCheck(name=f"queue {queue}", verdict="ok", detail=f"{len(workers)} worker(s)"))
        else:
            detail = "no worker polls it: runs wait"
            checks.append(ClusterCheck(name=f"queue {queue}", verdict="missing", detail=detail, fix=_WORKERS))
    asked_s = [poller.last_access_time.ToMicroseconds() / 1e6 for pollers in polled for poller in pollers]
    return [*checks, _clock(time.time() - max(asked_s)) if asked_s else _no_clock()]


def _clock(behind_s: float) -> ClusterCheck:
    """`behind_s`: own time since a worker asked the server for work, which may take a minute to happen again."""
    if -1.0 <= behind_s <= _CLOCKS_S + 10.0:
        return ClusterCheck(name="clock", verdict="ok", detail="agrees with the server's within a minute")
    detail = (
        f"the server's is at least {-behind_s:.0f} s ahead"
        if behind_s < 0
        else f"{behind_s:.0f} s since any worker asked"
    )
    fix = "set this machine's clock (NTP)" if behind_s < 0 else "if workers do run, set this machine's clock (NTP)"
    return ClusterCheck(name="clock", verdict="note", detail=detail, fix=fix)


def _no_clock() -> ClusterCheck:
    return ClusterCheck(name="clock", verdict="note", detail="not known: no worker tells the server's time")


async def _pollers(client: Client, queue: str, kind: "TaskQueueType.ValueType") -> list[PollerInfo]:
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind),
        timeout=RPC_TIMEOUT,
    )
    return list(described.pollers)


async def _vendors(client: Client, settings: Settings) -> list[ClusterCheck]:
    catalog = await asyncio.to_thread(load_catalog, settings)
    found = await vendors_served(client, catalog)
    served = sorted(set(found.served))
    if not served:
        detail = "no worker asks models: no queue of a vendor is polled"
        return [ClusterCheck(name="vendors", verdict="missing", detail=detail, fix=_WORKERS)]
    rest = sorted(set(found.unserved))
    detail = f"workers ask {', '.join(served)}" + (f"; nobody asks {', '.join(rest)}" if rest else "")
    return [ClusterCheck(name="vendors", verdict="ok", detail=detail)]


async def _store(store: ArtifactStore, url: str) -> list[ClusterCheck]:
    name, data = f"health/doctor-{uuid.uuid4().hex}", uuid.uuid4().bytes
    began_s = time.time()
    fresh = await store.create_named(name, data)
    try:
        again = await store.create_named(name, b"")
        read = await store.read_named(name)
        written_s = await store.modified_s(name)
    finally:
        await store.delete_named(name)
    if not fresh or again or read != data:
        detail = f"{url}: " + ("it overwrites what exists" if again else "it does not give back what was written")
        fix = "use a store with conditional puts: calls could be paid twice"
        return [ClusterCheck(name="artifacts", verdict="missing", detail=detail, fix=fix)]
    checks = [ClusterCheck(name="artifacts", verdict="ok", detail=f"{url}: writes, reads, guards and deletes")]
    if written_s is not None and abs(written_s - began_s) > _STORE_CLOCK_S:
        detail = f"differs by {abs(written_s - began_s):.0f} s from this machine's"
        checks.append(ClusterCheck(name="store's clock", verdict="note", detail=detail, fix="set the clocks (NTP)"))
    return checks
