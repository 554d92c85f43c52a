"""A client of the configured Temporal, or of the embedded one, which is started on the way."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression

from orchestrator.client.access import configured, unreachable
from orchestrator.client.namespace import EMBEDDED_NAMESPACE
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.polling import unpolled_queues
from orchestrator.client.processes import Say
from orchestrator.client.rpc import CONNECT_TIMEOUT, RETRIES, core_runtime
from orchestrator.client.server import ServerInfo, ensure_server, server_info
from orchestrator.client.worker_process import WorkerInfo, ensure_worker
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings

_LOOPBACK = ("127.", "localhost:", "[::1]:")


async def connect(settings: Settings, say: Say, start_services: bool = True, runtime: Runtime | None = None) -> Client:
    """A client with our plugin.

    Where no Temporal is configured, the embedded server and worker are started if they do not run. A configured
    one is used as it is; `say` is told when no worker polls its queues. Without `start_services` (for workers)
    nothing is started and nothing said. `runtime`: the SDK's core, where it is not the usual one. Raises
    PrerequisiteError where it cannot be reached.
    """
    if settings.embedded:
        server = await asyncio.to_thread(_embedded, settings, say, start_services)
        return await connect_embedded(settings, server, runtime)
    client = await _open(settings, configured(settings), runtime)
    idle = await unpolled_queues(client) if start_services else []
    if idle:
        say(f"no worker polls {', '.join(idle)}: runs wait until one is started ('orch-cli worker run')")
    return client


async def connect_embedded(settings: Settings, server: ServerInfo, runtime: Runtime | None = None) -> Client:
    """A client of the embedded server that runs. Raises PrerequisiteError."""
    return await _open(settings, {"target_host": server.address, "namespace": EMBEDDED_NAMESPACE}, runtime)


def ensure_services(settings: Settings, say: Say, *, replace_worker: bool) -> ServerInfo:
    """Embedded server and worker, started where they do not run. Blocks; milliseconds where they do.

    With `replace_worker` a worker that has other vendor settings is replaced. A worker is started beside the
    server: it imports for longer than the server needs to answer.
    """
    workers: list[Future[WorkerInfo]] = []
    beside = ThreadPoolExecutor(max_workers=1)

    def start_worker(server: ServerInfo) -> None:
        workers.append(beside.submit(ensure_worker, settings, server, say, replace=replace_worker))

    try:
        server = ensure_server(settings, say, start_worker)
        if not workers:
            start_worker(server)
    finally:
        beside.shutdown(wait=False)  # where there is no server, its worker gives up by itself
    workers[-1].result()
    return server


def _embedded(settings: Settings, say: Say, start_services: bool) -> ServerInfo:
    if start_services:
        return ensure_services(settings, say, replace_worker=False)
    server = server_info(settings)
    if server is None:
        raise PrerequisiteError("no Temporal server runs here; start it with 'orch-cli server up'")
    return server


async def _open(settings: Settings, config: ClientConnectConfig, runtime: Runtime | None) -> Client:
    address = config["target_host"]
    try:
        return await Client.connect(
            address,
            namespace=config.get("namespace", "default"),
            api_key=config.get("api_key"),
            tls=config.get("tls"),
            rpc_metadata=config.get("rpc_metadata", {}),
            plugins=[OrchPlugin(settings)],
            # On one machine compressing costs more than it saves: a few percent of the worker's and the server's CPU.
            grpc_compression=GrpcCompression.NONE if address.startswith(_LOOPBACK) else GrpcCompression.GZIP,
            retry_config=RETRIES,
            connect_timeout=CONNECT_TIMEOUT,
            runtime=runtime or core_runtime(),
        )
    except (RuntimeError, ValueError) as error:
        raise unreachable(config, error) from error
