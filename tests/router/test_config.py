"""Configuration of providers and of a generation; what the packages export, and what importing them costs."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

import orchestrator
import orchestrator.providers
from orchestrator import Router
from orchestrator.providers import BaseProvider, GenerationParams, MockProvider, ProviderConfig, ProviderError

SECRET = "secret-key-0123456789"


def test_defaults() -> None:
    config = ProviderConfig(name="x")
    assert (config.timeout, config.max_retries, config.verify_ssl) == (30, 3, True)
    assert {config.api_key, config.base_url, config.model, config.scope, config.folder_id} == {None}
    params = GenerationParams()
    assert (params.temperature, params.max_tokens, params.top_p, params.stop) == (0.7, 1000, 1.0, None)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": "x", "timeout": 0},
        {"name": "x", "timeout": 301},
        {"name": "x", "max_retries": -1},
        {"name": "x", "max_retries": 11},
        {"name": "x", "api_keys": "typo"},
    ],
)
def test_wrong_configurations_are_refused_and_keys_are_not_shown(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ProviderConfig.model_validate({"api_key": SECRET, **fields})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("fields", [{"timeout": 1}, {"timeout": 300}, {"max_retries": 0}, {"max_retries": 10}])
def test_limits_of_a_configuration_are_allowed(fields: dict[str, Any]) -> None:
    assert ProviderConfig.model_validate({"name": "x", **fields}).model_dump(include=set(fields)) == fields


@pytest.mark.parametrize(
    "fields", [{"temperature": -0.1}, {"temperature": 2.1}, {"max_tokens": 0}, {"top_p": -0.1}, {"top_p": 1.1}]
)
def test_wrong_parameters_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GenerationParams.model_validate(fields)


@pytest.mark.parametrize("fields", [{"temperature": 0.0, "top_p": 0.0, "max_tokens": 1}, {"temperature": 2.0}])
def test_limits_of_parameters_are_allowed(fields: dict[str, Any]) -> None:
    assert GenerationParams.model_validate(fields).model_dump(include=set(fields)) == fields


def test_keys_are_not_shown_and_can_be_replaced() -> None:
    config = ProviderConfig.model_validate({"name": "x", "api_key": SECRET})
    provider = MockProvider(config)
    assert SECRET not in repr(config) + str(config) + repr(provider) + repr(vars(provider)) + config.model_dump_json()
    config.api_key = "another"  # type: ignore[assignment]
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == "another"


@pytest.mark.parametrize("name", orchestrator.providers.__all__)
def test_what_the_providers_export_exists(name: str) -> None:
    exported = getattr(orchestrator.providers, name)
    assert exported.__name__ == name


def test_other_names_are_no_names() -> None:
    for module in (orchestrator, orchestrator.providers):
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            module.Nothing  # noqa: B018
    assert issubclass(MockProvider, BaseProvider)
    assert Router.__module__.startswith("orchestrator.router")
    assert issubclass(orchestrator.providers.TimeoutError, ProviderError)
    assert not issubclass(orchestrator.providers.TimeoutError, TimeoutError)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import orchestrator", "orchestrator.router"),
        ("import orchestrator.providers", "orchestrator.providers.vendors"),
        ("from orchestrator import Router", "genai_prices"),
        ("from orchestrator.providers import MockProvider", "orchestrator.settings"),
        ("from orchestrator.providers import GigaChatProvider", "openai"),
        ("from orchestrator import Router", "langchain_core"),
        ("from orchestrator import Router", "prometheus_client"),
    ],
)
def test_what_is_not_used_is_not_imported(code: str, absent: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; sys.exit({absent!r} in sys.modules)"], check=False
    )
    assert done.returncode == 0
