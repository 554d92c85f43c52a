"""What docs/vendors says is true: its files work as they stand, its pages name what the code reads."""

import asyncio
import re
from pathlib import Path

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.providers.base import ModelAnswer, ModelRequest
from orchestrator.providers.registry import open_provider
from orchestrator.settings import VendorSettings, load_settings
from orchestrator.settings.access import find_access
from orchestrator.settings.vendors import VENDORS, VendorDefinition
from orchestrator.settings.vendors.definition import Capabilities
from orchestrator.testing.vendor_script import Reply, VendorRequest
from orchestrator.testing.vendor_server import FakeVendorServer

FOLDER = Path(__file__).parents[2] / "docs" / "vendors"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def ask(settings: VendorSettings, model: str = "some-model") -> ModelAnswer:
    request = ModelRequest(model=model, system="Be brief.", prompt="Hello", max_tokens=50, temperature=1.7)

    async def call() -> ModelAnswer:
        provider = open_provider(settings)
        try:
            return await provider.complete(request, lambda _: None)
        finally:
            await provider.aclose()

    return asyncio.run(call())


def echo(request: VendorRequest) -> Reply:
    return Reply(text=f"{request.vendor} {request.model}")


def test_the_endpoint_of_the_page_works(tmp_path: Path) -> None:
    with FakeVendorServer(echo) as server:
        text = block("yaml").replace("https://api.groq.com/openai/v1", server.base_url("groq"))
        (tmp_path / "vendors.yaml").write_text(text)
        settings = load_settings({"ORCH_HOME": str(tmp_path), "GROQ_API_KEY": "a-key"}, folder=tmp_path)
        answer = ask(settings.vendors["groq"])
        assert (answer.text, server.requests[0].request.max_tokens) == ("groq some-model", 50)
        assert answer.usage == server.requests[0].usage
        assert settings.definitions["groq"].capabilities == Capabilities()


def test_the_vendor_file_of_the_page_is_short_and_works() -> None:
    text = block("python")
    assert len(text.splitlines()) < 60
    names: dict[str, object] = {}
    exec(compile(text, "example.py", "exec"), names)
    definition = names["EXAMPLE"]
    assert isinstance(definition, VendorDefinition)
    with FakeVendorServer(echo) as server:
        variables = {"EXAMPLE_API_KEY": "a-key", "EXAMPLE_BASE_URL": server.base_url("example")}
        settings = find_access(variables, {"example": definition}).vendors["example"]
        assert ask(settings).text == "example some-model"
        assert ask(settings, "example-think-2").text == "example example-think-2"
        usual, thinking = (record.request.body for record in server.requests)
        assert usual["temperature"] == 1.0
        assert "temperature" not in thinking


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_has_a_page_that_names_what_is_read(vendor: str) -> None:
    definition = VENDORS[vendor]
    page = (FOLDER / f"{vendor}.md").read_text(encoding="utf-8")
    assert f"({vendor}.md)" in README
    for name in (*definition.key_names, definition.base_url_name, *(option.variable for option in definition.options)):
        assert f"`{name}" in page, name
    assert definition.base_url is not None
    assert definition.base_url in page
    for option in definition.options:
        assert option.default in page


def test_every_page_is_of_a_vendor() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*VENDORS, "README"}


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "ollama"])
def test_models_of_a_page_are_in_the_catalog(vendor: str) -> None:
    known = {model.id for model in open_catalog(load_settings({})).models}
    page = (FOLDER / f"{vendor}.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"`({vendor}:[^`]+)`", page))
    assert named
    assert named <= known


def test_the_page_lists_every_capability_of_an_endpoint() -> None:
    listed = set(re.findall(r"^      (\w+):", block("yaml"), flags=re.MULTILINE))
    assert set(Capabilities.model_fields) - listed == {"no_stop", "extra_body", "error_codes"}
