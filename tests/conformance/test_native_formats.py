"""What only YandexGPT and Ollama have: their fields on the wire."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.providers.base import ProviderError
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.settings.ollama import installed_models, ollama_url
from orchestrator.testing.vendor_server import FakeVendorServer, environment
from tests.conformance.harness import Family, ask


@contextmanager
def opened(vendor: str, folder: Path, **variables: str) -> Iterator[Family]:
    """A provider with more variables than its key and address."""
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        family = Family(vendor, server, runner, folder)
        own = {**environment(server.port, [vendor]), **variables}
        own = {name: value for name, value in own.items() if value}
        family.provider = open_provider(load_settings(own, folder=folder).vendors[vendor])
        yield family
        family.run(family.provider.aclose())


def test_yandex_names_folder_and_model(tmp_path: Path) -> None:
    with opened("yandex", tmp_path) as family:
        for model in ("yandexgpt/latest", "gpt://another-folder/yandexgpt-lite/rc"):
            family.ask(ask(model=model, max_tokens=1234, temperature=0.2))
        first, second = (record.request for record in family.server.requests)
        assert first.body["modelUri"] == "gpt://folder-of-tests/yandexgpt/latest"
        assert second.body["modelUri"] == "gpt://another-folder/yandexgpt-lite/rc"
        assert first.body["completionOptions"] == {"stream": True, "maxTokens": "1234", "temperature": 0.2}
        assert first.headers["x-folder-id"] == "folder-of-tests"


@pytest.mark.parametrize(
    ("variables", "scheme"), [({}, "Api-Key"), ({"YANDEX_API_KEY": "", "YANDEX_IAM_TOKEN": "t1.test"}, "Bearer")]
)
def test_yandex_takes_a_key_or_a_token(tmp_path: Path, variables: dict[str, str], scheme: str) -> None:
    seen: list[str] = []

    class Recorder(FakeVendorServer):
        """Sees the credentials, which records do not keep."""

        async def _handle(self, incoming: Any, connection: Any) -> None:
            seen.append(incoming.headers["authorization"])
            await super()._handle(incoming, connection)

    with Recorder() as server, asyncio.Runner() as runner:
        own = {**environment(server.port, ["yandex"]), **variables}
        provider = open_provider(load_settings(own, folder=tmp_path).vendors["yandex"])
        runner.run(provider.complete(ask(), lambda _: None))
        runner.run(provider.aclose())
    key = variables.get("YANDEX_IAM_TOKEN", "test-key-of-yandex-0123456789")
    assert seen == [f"{scheme} {key}"]


@pytest.mark.parametrize(
    ("prompt_bytes", "max_tokens", "context"),
    [(100, 500, 4096), (100, 4090, 8192), (30_000, 2000, 16384), (90_000, 8000, 32768)],
)
def test_ollama_is_told_how_much_context_is_needed(
    tmp_path: Path, prompt_bytes: int, max_tokens: int, context: int
) -> None:
    with opened("ollama", tmp_path) as family:
        family.ask(ask("x" * prompt_bytes, max_tokens=max_tokens))
        body: Any = family.last.request.body
        assert (body["options"]["num_ctx"], body["options"]["num_predict"]) == (context, max_tokens)
        assert (body["truncate"], body["shift"]) == (False, False)


def test_ollama_gets_no_prompt_that_it_would_cut(tmp_path: Path) -> None:
    with opened("ollama", tmp_path, OLLAMA_NUM_CTX="8192") as family:
        with pytest.raises(ProviderError) as caught:
            family.ask(ask("x" * 30_000))
        assert caught.value.failure.kind is FailureKind.CONTEXT_TOO_LONG
        assert caught.value.failure.fate is Fate.UNBILLED
        assert family.server.requests == []


def test_ollama_is_found_when_it_answers_and_has_a_model(tmp_path: Path) -> None:
    with FakeVendorServer() as server:
        variables = environment(server.port, ["ollama"])
        found = load_settings(variables, folder=tmp_path)
        assert found.vendors["ollama"].models == ("llama-of-tests",)
        server.desk.installed = ()
        empty = load_settings(variables, folder=tmp_path)
        assert empty.unusable["ollama"] == f"no model is installed at {server.url}"
        server.refuse()
        gone = load_settings(variables, folder=tmp_path)
        assert gone.unusable["ollama"] == f"no Ollama answers at {server.url}"
        assert installed_models(f"{server.url}/somewhere") is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:1234", "http://box:1234"),
        ("http://box:1234/", "http://box:1234"),
        ("https://box/ollama", "https://box:443/ollama"),
        ("[::1]:11434", "http://[::1]:11434"),
    ],
)
def test_the_forms_of_ollama_host(host: str, url: str) -> None:
    assert ollama_url(host) == url
