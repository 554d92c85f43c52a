"""Models on the user's own machine."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.catalog import CatalogEntry, catalog_here, open_catalog
from orchestrator.catalog.local import with_installed
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import VendorSettings, load_settings
from orchestrator.settings.vendors import VENDORS

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def entries(tmp_path: Path, *installed: str, file: str = "", num_ctx: str = "32768") -> dict[str, CatalogEntry]:
    (tmp_path / "models.yaml").write_text(file)
    catalog = open_catalog(load_settings({"HOME": str(tmp_path), "ORCH_HOME": str(tmp_path)}, folder=tmp_path), NOW)
    server = VendorSettings(
        vendor="ollama", models=installed, options={"num_ctx": num_ctx}, definition=VENDORS["ollama"]
    )
    found = with_installed(catalog.entries, server if installed else None)
    return {entry.spec.model: entry for entry in found if entry.spec.vendor == "ollama"}


def test_only_installed_models_can_be_asked(tmp_path: Path) -> None:
    found = entries(tmp_path, "llama3.2:latest", "Qwen3:8b")
    assert {model for model, entry in found.items() if entry.installed} == {"llama3.2", "qwen3:8b"}
    assert not [entry for entry in entries(tmp_path).values() if entry.installed]


def test_installed_models_that_our_data_lacks_are_free_and_local(tmp_path: Path) -> None:
    added = entries(tmp_path, "my-tune:13b-q4").pop("my-tune:13b-q4")
    assert added.installed
    assert (added.spec.region, added.spec.prices[0].output_micro) == ("local", 0)
    assert added.spec.id == "ollama:my-tune:13b-q4"


def test_a_file_may_name_what_the_machines_of_the_workers_have(tmp_path: Path) -> None:
    file = "models: {ollama:llama3.2: {quality: 0.7}}"
    assert entries(tmp_path, file=file)["llama3.2"].installed


def test_the_context_is_the_one_that_ollama_is_asked_for(tmp_path: Path) -> None:
    spec = entries(tmp_path, "llama3.2", "other", num_ctx="8192")["llama3.2"].spec
    other = entries(tmp_path, "llama3.2", "other", num_ctx="8192")["other"].spec
    assert (spec.context_tokens, spec.max_output_tokens) == (8192, 4096)
    assert (other.context_tokens, other.max_output_tokens) == (8192, 4096)


def test_where_no_ollama_answers_no_model_of_it_can_be_asked(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "ORCH_HOME": str(tmp_path), "OLLAMA_HOST": "127.0.0.1:1"}
    catalog = catalog_here(load_settings(environment, folder=tmp_path))
    assert "ollama" not in {model.vendor for model in catalog.models}
    with pytest.raises(UserInputError, match=r"ollama:llama3.2: not installed on this machine; run 'ollama pull"):
        catalog.resolve("llama3.2")
