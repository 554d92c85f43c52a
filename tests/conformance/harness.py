"""What the conformance tests share: a server and a provider of each vendor, short limits of time."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from orchestrator.domain.errors import CallFailure
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider, ProviderError, Timeouts
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_script import Reply, Script, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer

Result = TypeVar("Result")

VENDORS = ("openai", "anthropic", "google", "deepseek")
SHORT = Timeouts(connect_s=5.0, first_byte_s=0.5, between_chunks_s=0.3)
SYSTEM = "stage: generate\nYou write code."


class Family:
    """One vendor at a fake server of its own. Everything runs in one event loop, as in a worker."""

    def __init__(self, vendor: str, server: FakeVendorServer, runner: asyncio.Runner) -> None:
        environment = server.environment([vendor])
        settings = load_settings(environment, folder=Path("/nonexistent")).vendors[vendor]
        self.vendor = vendor
        self.server = server
        self.key = settings.api_key.get_secret_value()
        self.provider: Provider = open_provider(settings)
        self.pieces: list[str] = []
        self._runner = runner

    def run(self, work: Coroutine[object, object, Result]) -> Result:
        """Run `work` in the loop of the provider."""
        return self._runner.run(work)

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
    fields = {"model": "some-model", "system": SYSTEM, "prompt": prompt, "max_tokens": 500, "timeouts": SHORT}
    return ModelRequest.model_validate({**fields, **changes})


@pytest.fixture(scope="session", params=VENDORS)
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
