"""Opens the provider of a vendor. SDKs take seconds to import, so each is imported when it is needed."""

import logging
from collections.abc import Mapping
from importlib import import_module

from orchestrator.providers.wire import WireProvider
from orchestrator.settings import VendorSettings
from orchestrator.settings.vendors.definition import Family

# At DEBUG these write prompts and headers, at INFO a line per request.
_LOGGERS = ("openai", "anthropic", "google_genai", "google_genai.models", "httpx2", "httpcore2")

# Module and class of each wire family.
_FAMILIES: dict[Family, tuple[str, str]] = {
    "openai_compatible": ("orchestrator.providers.openai_compatible", "OpenAICompatibleWire"),
    "anthropic": ("orchestrator.providers.anthropic", "AnthropicWire"),
    "google": ("orchestrator.providers.google", "GoogleWire"),
    "gigachat": ("orchestrator.providers.gigachat", "GigaChatWire"),
    "yandex": ("orchestrator.providers.yandex", "YandexWire"),
    "ollama": ("orchestrator.providers.ollama", "OllamaWire"),
}


def open_provider(settings: VendorSettings) -> WireProvider:
    """The provider of `settings.vendor`. Connects only when it is asked something."""
    provider = _wire_class(settings.definition.family)(settings)
    _quiet_loggers()
    return provider


def import_sdks(vendors: Mapping[str, VendorSettings]) -> None:
    """Import the SDKs of `vendors` now, so that no later import blocks heartbeats."""
    for vendor in vendors.values():
        _wire_class(vendor.definition.family)


def _wire_class(family: Family) -> type[WireProvider]:
    module, name = _FAMILIES[family]
    found: type[WireProvider] = getattr(import_module(module), name)
    return found


def _quiet_loggers() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
