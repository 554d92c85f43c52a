"""`orch-worker`: polls the workflow, model and tool queues until SIGTERM, then lets calls in flight finish."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from orchestrator.domain.errors import OrchError
from orchestrator.settings import Settings, load_settings

logger = logging.getLogger("orch.worker")


def main() -> None:
    """Console entry. Exit codes: 0 after a graceful stop, 1 where the worker could not run, 2 for bad settings."""
    code = 0
    try:
        settings = load_settings()
        logging.basicConfig(
            level=settings.log_level,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
            stream=sys.stderr,
        )
        asyncio.run(_serve(settings))
    except OrchError as error:
        sys.stderr.write(f"orch-worker: {error}\n")
        code = 1
    except KeyboardInterrupt:
        code = 130
    # Interpreter shutdown can crash after a Temporal client was used; everything is flushed and closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(settings: Settings) -> None:
    from orchestrator.client.connection import connect
    from workers.build import build

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    client = await connect(settings, say=logger.info, start_services=False)
    workers = await build(settings, client)
    running = [asyncio.create_task(worker.run()) for worker in workers.workers]
    _announce(settings)
    logger.info("polling as %s", os.getpid())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    logger.info("stopping: calls in flight may finish")
    await asyncio.gather(*(worker.shutdown() for worker in workers.workers))
    results = await asyncio.gather(*running, return_exceptions=True)
    await workers.close()
    stopping.cancel()
    for result in results:
        if isinstance(result, BaseException):
            raise OrchError(f"a worker ended: {result}") from result


def _announce(settings: Settings) -> None:
    """Tell who started us that the queues are polled."""
    from orchestrator.client.worker_process import WORKER_STATE, report_ready

    state = settings.environment.get(WORKER_STATE)
    if state:
        report_ready(Path(state))


if __name__ == "__main__":
    main()
