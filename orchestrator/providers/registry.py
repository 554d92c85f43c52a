"""Opens the provider of a vendor. SDKs take seconds to import, so each is imported when it is needed."""

import logging
from collections.abc import Callable, Iterable

from orchestrator.domain.errors import UserInputError
from orchestrator.providers.base import Provider
from orchestrator.settings import VendorSettings
from orchestrator.settings.vendors import VENDORS

# At DEBUG these write prompts and headers, at INFO a line per request.
_LOGGERS = ("openai", "anthropic", "google_genai", "google_genai.models", "httpx2", "httpcore2")


def open_provider(settings: VendorSettings) -> Provider:
    """The provider of `settings.vendor`. Connects only when it is asked something.

    Raises UserInputError for a vendor that is not in `VENDORS`.
    """
    provider = _provider_class(settings.vendor)(settings)
    _quiet_loggers()
    return provider


def import_sdks(vendors: Iterable[str]) -> None:
    """Import the SDKs of `vendors` now, so that no later import blocks heartbeats."""
    for vendor in vendors:
        if vendor in VENDORS:
            _provider_class(vendor)


def _provider_class(vendor: str) -> Callable[[VendorSettings], Provider]:
    definition = VENDORS.get(vendor)
    if definition is None:
        raise UserInputError(f"unknown vendor {vendor!r}; known are {', '.join(VENDORS)}")
    if definition.family == "openai":
        from orchestrator.providers.openai_compatible import OpenAICompatibleProvider

        return OpenAICompatibleProvider
    if definition.family == "anthropic":
        from orchestrator.providers.anthropic import AnthropicProvider

        return AnthropicProvider
    from orchestrator.providers.google import GoogleProvider

    return GoogleProvider


def _quiet_loggers() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
