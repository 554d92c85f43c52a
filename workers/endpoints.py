"""Health and metrics of a worker over HTTP: /livez, /readyz and /metrics."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from orchestrator.settings.observation import host_and_port
from orchestrator.telemetry.telemetry import Telemetry
from workers.health import Health

logger = logging.getLogger("orch.worker")

_BIND_S = 1.0  # until an address is tried again
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def app(health: Health, telemetry: Telemetry) -> Starlette:
    """The endpoints."""

    async def livez(_: Request) -> Response:
        dead = health.dead
        return JSONResponse({"alive": not dead}, status_code=503 if dead else 200)

    async def readyz(_: Request) -> Response:
        troubles = await health.troubles()
        return JSONResponse({"ready": not troubles, "troubles": troubles}, status_code=503 if troubles else 200)

    async def metrics(_: Request) -> Response:
        text = telemetry.exposition()
        if text is None:
            return PlainTextResponse("metrics are switched off (OTEL_SDK_DISABLED)\n", status_code=404)
        return Response(text, headers={"content-type": _METRICS_TYPE})

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


class _Server(uvicorn.Server):
    """Runs in the worker's loop, and leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(health: Health, telemetry: Telemetry, address: str) -> None:
    """Serve until cancelled. Where the address is taken, which is logged once, it is tried again."""
    host, port = host_and_port(address)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app(health, telemetry), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    with await _listening(host, port) as listening:
        logger.info("health and metrics at http://%s:%s", host, listening.getsockname()[1])
        await _Server(config).serve(sockets=[listening])


async def _listening(host: str, port: int) -> socket.socket:
    said = False
    while True:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family)
        except OSError as error:
            if not said:
                logger.error("no health endpoints yet at %s:%s: %s", host, port, error.strerror or error)
                said = True
        await asyncio.sleep(_BIND_S)
