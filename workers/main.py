"""`orch-worker`: polls the workflow, model and tool queues until SIGTERM, then lets calls in flight finish."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.contracts.serving import EVERYTHING, Serving, parse_serving
from orchestrator.domain.errors import OrchError, PrerequisiteError, UserInputError
from orchestrator.settings import Settings, load_settings
from workers.health import Health
from workers.observing import observed, start_logs

if TYPE_CHECKING:
    from temporalio.client import Client

    from workers.build import WorkerSet

Hide = Callable[[Iterable[str]], None]

logger = logging.getLogger("orch.worker")

_SERVER_S = 25.0
_RETRY_S = 0.05


def main() -> None:
    """Console entry. Exit codes: 0 after a graceful stop, 1 where the worker could not run, 2 for bad settings."""
    code = 0
    arguments = _arguments()
    try:
        serving = _serving(arguments.queues)
        settings = load_settings()
        hide = start_logs(settings)
        asyncio.run(_serve(settings, serving, arguments.build_id, hide))
    except OrchError as error:
        sys.stderr.write(f"orch-worker: {error}\n")
        code = 2 if isinstance(error, UserInputError) else 1
    except KeyboardInterrupt:
        code = 130
    # Interpreter shutdown can crash after a Temporal client was used; everything is flushed and closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="orch-worker", description="Serves the task queues until SIGTERM.")
    parser.add_argument("--queues", default="", help="workflows, tools, models or models:VENDOR, separated by commas")
    parser.add_argument("--build-id", default="", help="version of the code: runs stay with the one they began with")
    return parser.parse_args()


def _serving(queues: str) -> Serving:
    if not queues:
        return EVERYTHING
    try:
        return parse_serving(queues)
    except ValueError as error:
        raise UserInputError(f"--queues {error}") from None


async def _serve(settings: Settings, serving: Serving, build_id: str, hide: Hide) -> None:
    """Poll until SIGTERM. `hide` is given the keys that no log may show."""
    from orchestrator.providers.registry import import_sdks
    from workers.build import Duty, build

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with observed(settings) as (telemetry, health):
        if serving.models:
            import_sdks(settings.vendors)  # before the connection: the server may still be starting
        client = await _connected(settings)
        duty = Duty(serving, apart=not _is_embedded(settings), build_id=build_id)
        workers = await build(settings, client, duty, telemetry)
        hide(workers.secrets)
        gc.freeze()  # what was imported stays: no collection needs to look at it again
        gc.set_threshold(10_000, 10, 10)  # a call makes thousands of objects, and next to no cycles
        await _work(settings, workers, health, client, stop)


async def _work(
    settings: Settings, workers: "WorkerSet", health: Health, client: "Client", stop: asyncio.Event
) -> None:
    """Run all workers of the process until `stop`, or until one of them ends. Raises OrchError where one failed."""
    running = [asyncio.create_task(worker.run()) for worker in workers.workers]
    health.works(client, workers.store, workers.workers)
    _announce(settings)
    logger.info("polling %s as %s", ", ".join(queue.name for queue in workers.queues), os.getpid())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    health.draining = stop.is_set()
    logger.info("stopping: calls in flight may finish")
    await asyncio.gather(*(worker.shutdown() for worker in workers.workers))
    results = await asyncio.gather(*running, return_exceptions=True)
    await workers.close()
    stopping.cancel()
    for result in results:
        if isinstance(result, BaseException):
            raise OrchError(f"a worker ended: {result}") from result


async def _connected(settings: Settings) -> "Client":
    """A client, as soon as the server answers. Raises PrerequisiteError where it does not within 25 s."""
    from orchestrator.client.connection import connect
    from orchestrator.client.rpc import worker_runtime

    runtime = worker_runtime(settings.observation.metrics_address)
    deadline = time.monotonic() + _SERVER_S
    while True:
        try:
            return await connect(settings, say=logger.info, start_services=False, runtime=runtime)
        except PrerequisiteError:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_RETRY_S)


def _is_embedded(settings: Settings) -> bool:
    """Whether this is the worker beside an embedded server, which does everything."""
    from orchestrator.client.worker_process import WORKER_STATE

    return bool(settings.environment.get(WORKER_STATE))


def _announce(settings: Settings) -> None:
    """Tell who started us that the queues are polled."""
    from orchestrator.client.worker_process import WORKER_STATE, report_ready

    state = settings.environment.get(WORKER_STATE)
    if state:
        report_ready(Path(state))


if __name__ == "__main__":
    main()
