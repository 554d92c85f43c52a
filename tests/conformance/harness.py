"""What the conformance tests share: a server and a provider of each vendor, short limits of time."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orchestrator.domain.errors import CallFailure
from orchestrator.domain.money import Usage
from orchestrator.providers.base import ModelAnswer, ModelRequest, ProviderError, Timeouts
from orchestrator.providers.registry import open_provider
from orchestrator.providers.wire import WireProvider
from orchestrator.settings import VendorSettings, load_settings
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_script import Reply, Script, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer, environment

Result = TypeVar("Result")

# An endpoint that a user declares, which lacks whatever a declaration can say that it lacks.
PLAIN = "plain"
PLAIN_DECLARATION = """\
vendors:
  plain:
    base_url: {url}/plain/v1
    capabilities:
      structured_output: prompt
      stream_usage: never
      system_role: user
      temperature_max: 0.9
      stop: false
      thinking: inline
      prompt_cache: none
"""

TESTED = (*VENDORS, PLAIN)
PATIENT = Timeouts(connect_s=20.0, first_byte_s=20.0, between_chunks_s=20.0)
SHORT = Timeouts(connect_s=5.0, first_byte_s=0.25, between_chunks_s=0.15)
SYSTEM = "stage: generate\nYou write code."


class Family:
    """One vendor at a fake server of its own. Everything runs in one event loop, as in a worker."""

    def __init__(self, vendor: str, server: FakeVendorServer, runner: asyncio.Runner, folder: Path) -> None:
        self.vendor = vendor
        self.server = server
        self.settings = settings_of(vendor, server, folder)
        self.capabilities = self.settings.definition.capabilities
        self.wire = self.settings.definition.family
        self.key = self.settings.api_key.get_secret_value()
        self.provider = open_provider(self.settings)
        self.pieces: list[str] = []
        self.lacking = False  # the case met something that the vendor declares not to have
        self._runner = runner

    def run(self, work: Coroutine[object, object, Result]) -> Result:
        """Run `work` in the loop of the provider."""
        return self._runner.run(work)

    def opened_at(self, port: int) -> WireProvider:
        """A provider of its own whose vendor is at `port`."""
        ours, theirs = f":{self.server.port}", f":{port}"
        moved = {
            "base_url": (self.settings.base_url or "").replace(ours, theirs),
            "options": {name: value.replace(ours, theirs) for name, value in self.settings.options.items()},
        }
        return open_provider(self.settings.model_copy(update=moved))

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

    def seen(self, usage: Usage) -> Usage | None:
        """What of the usage that a vendor counts can be known by what it declares to report."""
        if self.capabilities.stream_usage == "never":
            self.lacking = True
            return None
        unknown = {}
        if self.capabilities.prompt_cache == "none" and usage.cached_input_tokens:
            unknown["cached_input_tokens"] = 0
        if not self.capabilities.cache_writes and usage.cache_write_tokens:
            unknown["cache_write_tokens"] = 0
        self.lacking = self.lacking or bool(unknown)
        return usage.model_copy(update=unknown)

    @property
    def last(self) -> RequestRecord:
        """The record of the last request."""
        return self.server.requests[-1]

    @property
    def parameters(self) -> dict[str, Any]:
        """Where the last request has its temperature and the like."""
        body: Any = self.last.request.body
        place = {"google": "generationConfig", "yandex": "completionOptions", "ollama": "options"}.get(self.wire)
        found: dict[str, Any] = body[place] if place else body
        return found


def settings_of(vendor: str, server: FakeVendorServer, folder: Path) -> VendorSettings:
    """The settings of `vendor`, read as from a user's environment and files."""
    variables = {"HOME": str(folder)}
    if vendor in VENDORS:
        variables |= environment(server.port, [vendor])
    else:
        declaration = folder / f"{vendor}.yaml"
        declaration.write_text(PLAIN_DECLARATION.format(url=server.url), encoding="utf-8")
        variables["ORCH_VENDORS_FILE"] = str(declaration)
    return load_settings(variables, folder=folder).vendors[vendor]


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
def opened_family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    """Each vendor in turn, opened once: making the clients of the SDKs takes longer than the tests."""
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        opened = Family(request.param, server, runner, tmp_path_factory.mktemp("vendor"))
        yield opened
        opened.run(opened.provider.aclose())


@pytest.fixture
def family(opened_family: Family) -> Family:
    """Each vendor in turn, with a server that has not been asked anything."""
    opened_family.server.forget()
    opened_family.script(Reply(text="ok"))
    opened_family.pieces.clear()
    opened_family.lacking = False
    return opened_family
