"""What the conformance tests share: a server and a provider of each vendor, short limits of time."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from orchestrator.domain.errors import CallFailure
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider, ProviderError, Timeouts
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_script import Reply, Script, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer, environment

Result = TypeVar("Result")

TESTED = ("openai", "anthropic", "google", "deepseek")
PATIENT = Timeouts(connect_s=20.0, first_byte_s=20.0, between_chunks_s=20.0)
SHORT = Timeouts(connect_s=0.5, first_byte_s=0.5, between_chunks_s=0.3)
SYSTEM = "stage: generate\nYou write code."


class Family:
    """One vendor at a fake server of its own. Everything runs in one event loop, as in a worker."""

    def __init__(self, vendor: str, server: FakeVendorServer, runner: asyncio.Runner) -> None:
        self.vendor = vendor
        self.server = server
        self.key = server.environment([vendor])[VENDORS[vendor].key_names[0]]
        self.provider = self.opened_at(server.port)
        self.pieces: list[str] = []
        self._runner = runner

    def run(self, work: Coroutine[object, object, Result]) -> Result:
        """Run `work` in the loop of the provider."""
        return self._runner.run(work)

    def opened_at(self, port: int) -> Provider:
        """A provider of its own whose vendor is at `port`."""
        settings = load_settings(environment(port, [self.vendor]), folder=Path("/nonexistent"))
        return open_provider(settings.vendors[self.vendor])

    def script(self, script: Script | Reply) -> None:
        """Answer as scripted from now on."""
        self.server.script = from_rules([], script) if isinstance(script, Reply) else script

    def ask(self, request: ModelRequest | None = None) -> ModelAnswer:
        """One request."""
        return self.run(self.provider.complete(request or ask(), self.pieces.append))

    def failure(self, request: ModelRequest | None = None) -> CallFailure:
        """One request that must fail: its failure."""
        with pytest.raises(ProviderError) as caught:
            self.ask(request)
        return caught.value.failure

    @property
    def last(self) -> RequestRecord:
        """The record of the last request."""
        return self.server.requests[-1]


def ask(prompt: str = "Write a stack.", **changes: object) -> ModelRequest:
    """A small request."""
    fields = {"model": "some-model", "system": SYSTEM, "prompt": prompt, "max_tokens": 500, "timeouts": PATIENT}
    return ModelRequest.model_validate({**fields, **changes})


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: a further one is neither taken nor refused."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@pytest.fixture(scope="session", params=TESTED)
def opened_family(request: pytest.FixtureRequest) -> Iterator[Family]:
    """Each vendor in turn, opened once: making the clients of the SDKs takes longer than the tests."""
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        opened = Family(request.param, server, runner)
        yield opened
        opened.run(opened.provider.aclose())


@pytest.fixture
def family(opened_family: Family) -> Family:
    """Each vendor in turn, with a server that has not been asked anything."""
    opened_family.server.forget()
    opened_family.script(Reply(text="ok"))
    opened_family.pieces.clear()
    return opened_family
