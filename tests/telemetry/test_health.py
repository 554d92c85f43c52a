"""Probes of a worker: what they say while it starts, works, suffers and drains."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from httpx2 import ASGITransport, AsyncClient
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import load_settings
from orchestrator.telemetry.telemetry import SILENT
from workers.endpoints import app, serve
from workers.health import Health


class Service:
    def __init__(self) -> None:
        self.error: RPCError | None = None
        self.asked = 0

    @property
    def service_client(self) -> "Service":
        return self

    async def check_health(self, **_: object) -> bool:
        self.asked += 1
        if self.error:
            raise self.error
        return True


class Polling:
    def __init__(self) -> None:
        self.is_running = True


class FullStore(ArtifactStore):
    def __init__(self) -> None:
        pass

    async def read_named(self, name: str) -> bytes | None:
        raise ArtifactUnavailableError("artifact store /data: No space left on device")


def ask(health: Health, *paths: str) -> list[tuple[int, dict[str, Any]]]:
    async def asked() -> list[tuple[int, dict[str, Any]]]:
        async with AsyncClient(transport=ASGITransport(app=app(health, SILENT)), base_url="http://worker") as client:
            answers = [await client.get(path) for path in paths]
        return [(answer.status_code, json.loads(answer.text)) for answer in answers]

    return asyncio.run(asked())


def working(service: Service, store: ArtifactStore, *workers: Polling) -> Health:
    health = Health()
    health.works(cast(Client, service), store, workers or (Polling(),))
    return health


def test_a_starting_worker_lives_and_is_not_ready() -> None:
    live, ready = ask(Health(), "/livez", "/readyz")
    assert live == (200, {"alive": True})
    assert ready == (503, {"ready": False, "troubles": {"worker": "starting: not connected yet"}})


def test_a_working_worker_is_ready(tmp_path: Path) -> None:
    service = Service()
    health = working(service, ArtifactStore.open(tmp_path.as_uri()))
    assert ask(health, "/readyz", "/readyz", "/readyz") == [(200, {"ready": True, "troubles": {}})] * 3
    assert service.asked == 1, "an answer is good for a second"


def test_what_is_missing_is_named() -> None:
    service = Service()
    service.error = RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
    ((code, body),) = ask(working(service, FullStore()), "/readyz")
    assert code == 503
    assert body["troubles"] == {
        "temporal": "unavailable: connection refused",
        "store": "artifact store /data: No space left on device",
    }


def test_a_worker_that_ended_by_itself_is_dead(tmp_path: Path) -> None:
    ended = Polling()
    ended.is_running = False
    health = working(Service(), ArtifactStore.open(tmp_path.as_uri()), Polling(), ended)
    (live, _), (ready, body) = ask(health, "/livez", "/readyz")
    assert (live, ready) == (503, 503)
    assert body["troubles"] == {"worker": "1 of 2 task queues are not polled any more"}
    health.draining = True
    (live, _), (ready, body) = ask(health, "/livez", "/readyz")
    assert (live, ready) == (200, 503)
    assert "draining" in body["troubles"]["worker"]


def test_a_port_that_is_taken_is_tried_again() -> None:
    async def scenario() -> None:
        holder = socket.create_server(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        serving = asyncio.create_task(serve(Health(), SILENT, f"127.0.0.1:{port}"))
        await asyncio.sleep(0)
        holder.close()
        async with asyncio.timeout(20):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
        writer.write(b"GET /livez HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["ORCH_HEALTH_ADDRESS", "ORCH_METRICS_ADDRESS"])
@pytest.mark.parametrize("address", ["8080", "host", "host:", ":80", "host:99999", "host:x"])
def test_an_address_that_is_none_is_said(name: str, address: str) -> None:
    with pytest.raises(UserInputError, match=f"{name}=.*give host:port"):
        load_settings({name: address})


@pytest.mark.parametrize("name", ["ORCH_LOG_FORMAT", "ORCH_TRACE_CONTENT"])
def test_a_word_that_is_none_of_ours_is_said(name: str) -> None:
    with pytest.raises(UserInputError, match=f"{name}='yes'"):
        load_settings({name: "yes"})
