"""How connections are used: shared by all requests, and only to servers that are who they say."""

import asyncio
import logging
import ssl
import subprocess
from pathlib import Path

import pytest

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.providers.base import ModelAnswer, ProviderError
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.testing.vendor_script import Reply
from orchestrator.testing.vendor_server import FakeVendorServer, environment
from tests.conformance.harness import Family, ask

CALLS = 300
ONE_OF_EACH_FAMILY = ("openai", "anthropic", "google", "gigachat", "yandex", "ollama")


@pytest.mark.parametrize("vendor", ONE_OF_EACH_FAMILY)
def test_many_calls_share_their_connections(vendor: str, tmp_path: Path) -> None:
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        family = Family(vendor, server, runner, tmp_path)
        family.script(lambda request: Reply(text=f"echo {request.prompt}", chunks=2))
        family.ask()
        server.connections_made = 0

        async def at_once(calls: int) -> list[ModelAnswer]:
            asked = (family.provider.complete(ask(f"p{n}", system=""), lambda _: None) for n in range(calls))
            return await asyncio.gather(*asked)

        answers = runner.run(at_once(CALLS))
        assert [answer.text for answer in answers] == [f"echo p{n}" for n in range(CALLS)]
        first_wave = server.connections_made
        assert first_wave <= CALLS
        for calls in (CALLS, 1, 30):
            runner.run(at_once(calls))
        assert server.connections_made == first_wave
        runner.run(family.provider.aclose())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, and its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    both, key = folder / "both.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", both], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    both.write_text(both.read_text() + key.read_text())
    return both


@pytest.mark.parametrize("vendor", ["gigachat", "openai", "anthropic", "google", "yandex"])
def test_a_certificate_is_checked_unless_it_is_said_otherwise(
    vendor: str, certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    name = vendor.upper()
    with FakeVendorServer(tls=context) as server, asyncio.Runner() as runner:

        def outcome(**variables: str) -> ModelAnswer | ProviderError:
            own = {**environment(server.port, [vendor], scheme="https"), **variables}
            provider = open_provider(load_settings(own, folder=tmp_path).vendors[vendor])
            try:
                return runner.run(provider.complete(ask(), lambda _: None))
            except ProviderError as error:
                return error
            finally:
                runner.run(provider.aclose())

        refused = outcome()
        assert isinstance(refused, ProviderError)
        assert (refused.failure.kind, refused.failure.fate) == (FailureKind.CONNECTION, Fate.UNBILLED)
        trusted = outcome(**{f"{name}_CA_BUNDLE": str(certificate)})
        assert isinstance(trusted, ModelAnswer)
        assert not caplog.records
        caplog.set_level(logging.WARNING)
        unchecked = outcome(**{f"{name}_VERIFY_SSL": "false"})
        assert isinstance(unchecked, ModelAnswer)
        assert [record.getMessage() for record in caplog.records] == [
            f"{vendor}: certificates are not checked ({name}_VERIFY_SSL)"
        ]
