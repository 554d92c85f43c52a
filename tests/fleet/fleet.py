"""Several worker processes on one server, each restarted when it dies, and the command line of somebody who uses it."""

import asyncio
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.artifacts.store import open_store
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.processes import wait_until
from orchestrator.client.rpc import core_runtime
from orchestrator.contracts.names import SEARCH_DOUBLES, SEARCH_INTS, SEARCH_KEYWORDS
from orchestrator.testing.installation import Installation
from tests.cluster.kept import Kept, Program
from tests.workflow.harness import House

WORKER = (sys.executable, "-P", "-m", "cli.main", "worker", "run")
POLLING_S = 60.0
_RETENTION = timedelta(days=2)
_APPEARS_S = 30.0
_RETRY_S = 0.05
_ATTRIBUTES: dict[str, "IndexedValueType.ValueType"] = {
    **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(SEARCH_DOUBLES, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE),
    **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
}


class FleetWorker:
    """One worker process, and what it logged in all its lives."""

    def __init__(self, fleet: "Fleet", number: int, options: tuple[str, ...], extra: Mapping[str, str]) -> None:
        self.log = fleet.folder / f"worker-{number}.log"
        environment = {**fleet.environment, **extra}
        self.process = Kept(Program((*WORKER, *options), fleet.folder, self.log, environment))

    def wait(self) -> "FleetWorker":
        """Until it polls in its present life. Fails where it does not."""
        assert wait_until(self._polls, POLLING_S), self.text[-3000:]
        return self

    @property
    def text(self) -> str:
        """The log."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _polls(self) -> bool:
        pid = self.process.pid
        return pid is not None and f" as {pid}\n" in self.text


class Fleet(Installation):
    """Workers and commands in one namespace of `address`, with the artifact store of `extra` or a shared folder."""

    def __init__(self, folder: Path, address: str, namespace: str, extra: Mapping[str, str] | None = None) -> None:
        asyncio.run(add_namespace(address, namespace))
        where = {"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": namespace}
        super().__init__(folder, {**where, **(extra or {})})
        self.address, self.namespace = address, namespace
        self.workers: list[FleetWorker] = []
        self._count = 0

    def add(self, *options: str, **extra: str) -> FleetWorker:
        """One more worker, with these options of `worker run`; it is not waited for."""
        self._count += 1
        worker = FleetWorker(self, self._count, options, extra)
        self.workers.append(worker)
        return worker

    def remove(self, worker: FleetWorker) -> None:
        """Let it finish its calls, and end it."""
        self.workers.remove(worker)
        worker.process.close()

    async def house(self) -> House:
        """Runs in the namespace, started and read without a command."""
        plugins = [OrchPlugin(self.settings)]
        client = await Client.connect(self.address, namespace=self.namespace, plugins=plugins, runtime=core_runtime())
        return House(client, open_store(self.settings))

    def close(self) -> None:
        """End the workers at once."""
        for worker in self.workers:
            worker.process.close(patience_s=0.0)
        self.workers.clear()


async def add_namespace(address: str, name: str) -> None:
    """A namespace that can be used, with our search attributes."""
    client = await Client.connect(address, runtime=core_runtime())
    retention = Duration()
    retention.FromTimedelta(_RETENTION)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    deadline = time.monotonic() + _APPEARS_S
    while True:
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=name, search_attributes=_ATTRIBUTES)
            )
            return
        except RPCError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_RETRY_S)
