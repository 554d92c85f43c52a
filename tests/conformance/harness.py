"""What the conformance tests share: a server per module, a provider per family, short limits of time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.domain.errors import CallFailure
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider, ProviderError, Timeouts
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_script import Reply, Script, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer

VENDORS = ("openai", "anthropic", "google", "deepseek")
SHORT = Timeouts(connect_s=5.0, first_byte_s=0.5, between_chunks_s=0.3)
SYSTEM = "stage: generate\nYou write code."


@dataclass
class Family:
    """One vendor at the fake server."""

    vendor: str
    server: FakeVendorServer
    key: str
    pieces: list[str] = field(default_factory=list)

    def script(self, script: Script | Reply) -> None:
        """Answer as scripted from now on."""
        self.server.script = from_rules([], script) if isinstance(script, Reply) else script

    def provider(self) -> Provider:
        """A new provider that talks to the server."""
        settings = load_settings(self.server.environment([self.vendor]), folder=Path("/nonexistent"))
        return open_provider(settings.vendors[self.vendor])

    def ask(self, request: ModelRequest | None = None) -> ModelAnswer:
        """One request with a provider of its own."""

        async def once() -> ModelAnswer:
            provider = self.provider()
            try:
                return await provider.complete(request or ask(), self.pieces.append)
            finally:
                await provider.aclose()

        return asyncio.run(once())

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


@pytest.fixture(params=VENDORS)
def family(request: pytest.FixtureRequest) -> Iterator[Family]:
    """Each vendor in turn, with a server of its own."""
    with FakeVendorServer() as server:
        vendor: str = request.param
        (key,) = (value for name, value in server.environment([vendor]).items() if name.endswith("_KEY"))
        yield Family(vendor, server, key)
