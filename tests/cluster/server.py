"""A Temporal cluster as people run it: the real server on PostgreSQL, with SQL visibility and four history shards.

`python -m tests.cluster.server [NAMESPACE...]` runs one until Ctrl-C, builds the server where needed, and prints the
variables that the command line needs.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import yaml
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client.processes import last_line
from orchestrator.client.rpc import core_runtime
from orchestrator.client.server import ServerInfo
from orchestrator.contracts.names import SEARCH_DOUBLES, SEARCH_INTS, SEARCH_KEYWORDS
from tests.cluster.build import VERSION, Binaries, NotBuiltError, build, require_built
from tests.cluster.kept import Kept, Program
from tests.cluster.ports import free_ports
from tests.cluster.postgres import ADMIN, HOST, Postgres

RETENTION = timedelta(days=3)
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}
SHARDS = 4
# What a cluster for fair shares between teams switches on (docs/deployment.md); everything else as it is delivered.
DYNAMIC_CONFIG = {
    "matching.useNewMatcher": [{"value": True}],
    "matching.enableFairness": [{"value": True}],
}
_SERVICES = ("frontend", "history", "matching", "worker")
_READY_S = 90.0
_SCHEMA_S = 120.0
_RPC_S = timedelta(seconds=5)
_RETRY_S = 0.2
_ATTRIBUTES: dict[str, "IndexedValueType.ValueType"] = {
    **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(SEARCH_DOUBLES, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE),
    **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
}


class _Ports(NamedTuple):
    """Of each service one for calls and one for membership; the frontend's HTTP and the metrics."""

    rpc: dict[str, int]
    membership: dict[str, int]
    http: int
    metrics: int


class Cluster:
    """Server and database, each started again when it dies. `folder` must be reachable for PostgreSQL's own user."""

    def __init__(self, folder: Path, binaries: Binaries) -> None:
        """Ready for use in the namespace `default`. Raises NotBuiltError where a part does not start."""
        self.folder = folder
        self.postgres = Postgres(folder / "postgres")
        self._log = folder / "temporal.log"
        try:
            for database, schema in DATABASES.items():
                _make_tables(binaries.sql_tool, self.postgres, database, schema)
            self._ports = _ports()
            self.temporal = Kept(self._program(binaries.server))
        except BaseException:
            self.postgres.close()
            raise
        try:
            self.add_namespace("default")
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """host:port of the frontend."""
        return f"{HOST}:{self._ports.rpc['frontend']}"

    def info(self) -> ServerInfo:
        """As tests of the embedded server know it. There is no Web UI."""
        pid = self.temporal.pid
        assert pid is not None, last_line(self._log)
        return ServerInfo(pid=pid, address=self.address, ui_url="", version=VERSION)

    @property
    def metrics_url(self) -> str:
        """Where the server's own metrics are, for Prometheus."""
        return f"http://{HOST}:{self._ports.metrics}/metrics"

    def add_namespace(self, name: str) -> None:
        """A namespace with our search attributes and a retention, as an administrator makes it; returns once usable."""
        asyncio.run(self._prepared(name))

    def close(self) -> None:
        """End both."""
        self.temporal.close()
        self.postgres.close()

    def _program(self, server: Path) -> Program:
        config = self.folder / "config"
        config.mkdir()
        dynamic = config / "dynamic.yaml"
        dynamic.write_text(yaml.safe_dump(DYNAMIC_CONFIG), encoding="utf-8")
        path = config / "cluster.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(_config(self._ports, self.postgres, dynamic)), encoding="utf-8")
        options = ("--root", str(self.folder), "--config", "config", "--env", "cluster", "--allow-no-auth")
        return Program(
            command=(str(server), *options, "start"),
            folder=self.folder,
            log=self._log,
            environment={"PATH": os.environ["PATH"]},
        )

    async def _prepared(self, name: str) -> None:
        """Until it works: the server may be starting, and what was made has to spread to its caches."""
        deadline = asyncio.get_running_loop().time() + _READY_S
        while True:
            try:
                return await self._prepare(name)
            except (RPCError, RuntimeError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise NotBuiltError(
                        f"namespace {name}: {error}; last line of the log: {last_line(self._log)}"
                    ) from error
            await asyncio.sleep(_RETRY_S)

    async def _prepare(self, name: str) -> None:
        client = await Client.connect(self.address, namespace=name, connect_timeout=_RPC_S, runtime=core_runtime())
        retention = Duration()
        retention.FromTimedelta(RETENTION)
        try:
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention), timeout=_RPC_S
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=name, search_attributes=_ATTRIBUTES), timeout=_RPC_S
        )
        await client.count_workflows("OrchStatus = 'SUCCESS' AND OrchSpentUsd > 0", rpc_timeout=_RPC_S)


def _config(ports: _Ports, postgres: Postgres, dynamic: Path) -> dict[str, object]:
    def store(database: str) -> dict[str, object]:
        return {
            "sql": {
                "pluginName": "postgres12",
                "databaseName": database,
                "connectAddr": f"{HOST}:{postgres.port}",
                "connectProtocol": "tcp",
                "user": ADMIN,
                "password": postgres.password,
                "maxConns": 20,
                "maxIdleConns": 20,
                "maxConnLifetime": "1h",
            }
        }

    def rpc(service: str) -> dict[str, object]:
        own = {"grpcPort": ports.rpc[service], "membershipPort": ports.membership[service], "bindOnLocalHost": True}
        return {"rpc": {**own, "httpPort": ports.http} if service == "frontend" else own}

    frontend = f"{HOST}:{ports.rpc['frontend']}"
    active = {"enabled": True, "initialFailoverVersion": 1, "rpcName": "frontend", "rpcAddress": frontend}
    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "numHistoryShards": SHARDS,
            "datastores": {"default": store("temporal"), "visibility": store("temporal_visibility")},
        },
        "global": {
            "membership": {"maxJoinDuration": "30s", "broadcastAddress": HOST},
            "metrics": {"prometheus": {"timerType": "histogram", "listenAddress": f"{HOST}:{ports.metrics}"}},
        },
        "services": {service: rpc(service) for service in _SERVICES},
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {"active": active},
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "publicClient": {"hostPort": frontend},
        "dynamicConfigClient": {"filepath": str(dynamic), "pollInterval": "10s"},
    }


def _ports() -> _Ports:
    free = free_ports(2 * len(_SERVICES) + 2)
    rpc, membership = free[: len(_SERVICES)], free[len(_SERVICES) : 2 * len(_SERVICES)]
    return _Ports(dict(zip(_SERVICES, rpc, strict=True)), dict(zip(_SERVICES, membership, strict=True)), *free[-2:])


def _make_tables(tool: Path, postgres: Postgres, database: str, schema: str) -> None:
    """A database with the tables of this version, as the schema job of a deployment makes it."""
    where = ("--plugin", "postgres12", "--endpoint", HOST, "--port", str(postgres.port), "--user", ADMIN)
    steps = (
        ("create-database",),
        ("setup-schema", "--version", "0.0"),
        ("update-schema", "--schema-name", f"postgresql/v12/{schema}"),
    )
    for step in steps:
        done = subprocess.run(
            [str(tool), *where, "--database", database, *step],
            env={"SQL_PASSWORD": postgres.password, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=_SCHEMA_S,
            check=False,
        )
        if done.returncode:
            raise NotBuiltError(f"temporal-sql-tool {step[0]}: {(done.stderr or done.stdout).strip()[-400:]}")


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster in a folder of its own, both gone afterwards. Raises NotBuiltError."""
    folder = Path(tempfile.mkdtemp(prefix="orch-cluster-"))
    folder.chmod(0o711)  # PostgreSQL's own user passes through
    try:
        running = Cluster(folder, require_built())
        try:
            yield running
        finally:
            running.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Exit codes: 0 after Ctrl-C or SIGTERM, 1 where there is no server to run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        build()
        with running_cluster() as running:
            for namespace in sys.argv[1:]:
                running.add_namespace(namespace)
            _say(f"TEMPORAL_ADDRESS={running.address}")
            _say(f"# database {running.postgres.port}, metrics {running.metrics_url}, logs in {running.folder}")
            threading.Event().wait()
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
