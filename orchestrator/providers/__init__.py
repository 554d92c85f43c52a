"""The vendors. Importing this package imports no SDK: each name is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.providers.base import ProviderError
    from orchestrator.providers.errors import (
        AllProvidersFailedError,
        AuthenticationError,
        InvalidRequestError,
        RateLimitError,
        TimeoutError,
    )
    from orchestrator.providers.generation import BaseProvider, GenerationParams, ProviderConfig
    from orchestrator.providers.mock import MockProvider
    from orchestrator.providers.vendors import (
        AnthropicProvider,
        DeepSeekProvider,
        GigaChatProvider,
        GoogleProvider,
        KimiProvider,
        MiniMaxProvider,
        MistralProvider,
        OllamaProvider,
        OpenAICompatibleProvider,
        OpenAIProvider,
        OpenRouterProvider,
        XAIProvider,
        YandexGPTProvider,
        ZhipuProvider,
    )

# In the order in which they are looked through: the later ones take longer to import.
_MODULES = ("generation", "errors", "mock", "vendors")

__all__ = [
    "AllProvidersFailedError", "AnthropicProvider", "AuthenticationError", "BaseProvider", "DeepSeekProvider",
    "GenerationParams", "GigaChatProvider", "GoogleProvider", "InvalidRequestError", "KimiProvider",
    "MiniMaxProvider", "MistralProvider", "MockProvider", "OllamaProvider", "OpenAICompatibleProvider",
    "OpenAIProvider", "OpenRouterProvider", "ProviderConfig", "ProviderError", "RateLimitError", "TimeoutError",
    "XAIProvider", "YandexGPTProvider", "ZhipuProvider",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
