"""The vendors as providers of the library: thin over the clients that the workflow's model calls use."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import ClassVar
from weakref import WeakKeyDictionary

from pydantic import SecretStr

from orchestrator.domain.errors import CallFailure, Fate
from orchestrator.providers.answers import unusable
from orchestrator.providers.base import ModelAnswer, ModelRequest, ProviderError, Timeouts
from orchestrator.providers.connect import endpoint_settings, vendor_settings
from orchestrator.providers.errors import error_of
from orchestrator.providers.generation import BaseProvider, GenerationParams, ProviderConfig
from orchestrator.providers.registry import open_provider
from orchestrator.providers.wire import WireProvider
from orchestrator.settings import VendorSettings

MAX_TOKENS = 4096  # of an answer where the caller sets no limit
CONNECT_S = 10.0
HEALTH_TIMEOUT_S = 5.0


class VendorProvider(BaseProvider):
    """A vendor. The key is that of the configuration, else that of the environment, `.env` or the key command.

    Raises ValueError where no key, or no model, is known. May be used from several event loops: each has its own
    connections, which `aclose` closes.
    """

    default_model: ClassVar[str] = ""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        if not self.model:
            raise ValueError(f"model is required for {type(self).__name__}")
        self._key = config.api_key
        self._settings = self._find_settings()
        self._unused: WireProvider | None = open_provider(self._settings)  # imports the SDK: no request waits for it
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[SecretStr, WireProvider]] = WeakKeyDictionary()

    @property
    def model(self) -> str:
        return self.config.model or self.default_model

    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        """See `BaseProvider.generate`."""
        return (await self.answer(prompt, params)).text

    async def answer(self, prompt: str, params: GenerationParams | None = None) -> ModelAnswer:
        """See `BaseProvider.answer`."""
        return await self._complete(prompt, params, lambda _: None)

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        """See `BaseProvider.generate_stream`."""
        async with aclosing(self.answer_stream(prompt, params)) as parts:
            async for part in parts:
                if isinstance(part, str):
                    yield part

    async def answer_stream(
        self, prompt: str, params: GenerationParams | None = None
    ) -> AsyncGenerator[str | ModelAnswer]:
        """See `BaseProvider.answer_stream`. Closing it closes the connection."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        asked = asyncio.create_task(self._complete(prompt, params, pieces.put_nowait))
        asked.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await asked
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def health_check(self) -> bool:
        """Whether the vendor answers and takes the key, as far as that costs nothing."""
        return await self._client().reachable(HEALTH_TIMEOUT_S)

    async def aclose(self) -> None:
        """See `BaseProvider.aclose`."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()

    def _find_settings(self) -> VendorSettings:
        return vendor_settings(self.vendor, self.config, type(self).__name__)

    def _client(self) -> WireProvider:
        """The client of the running loop for the present key. Those for former keys may still be answering."""
        if self.config.api_key != self._key:
            self._key = self.config.api_key
            self._settings = self._find_settings()
            self._unused = None
        clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        if self._settings.api_key not in clients:
            clients[self._settings.api_key] = self._unused or open_provider(self._settings)
            self._unused = None
        return clients[self._settings.api_key]

    async def _complete(
        self, prompt: str, params: GenerationParams | None, on_text: Callable[[str], None]
    ) -> ModelAnswer:
        try:
            answer = await self._client().complete(self._request(prompt, params), on_text)
        except ProviderError as error:
            raise error_of(error.failure) from None
        # An answer that its limit cut is what the caller asked for, unless thinking took all of it.
        found = unusable(answer, truncated=not answer.text.strip())
        if found is None:
            return answer
        fate = Fate.BILLED if answer.usage else Fate.UNCERTAIN
        useless = error_of(CallFailure(kind=found[0], fate=fate, message=f"{self.vendor}: {found[1]}"))
        useless.usage = answer.usage
        raise useless

    def _request(self, prompt: str, params: GenerationParams | None) -> ModelRequest:
        timeout_s = float(self.config.timeout)
        given = params or GenerationParams(max_tokens=MAX_TOKENS)
        return ModelRequest(
            model=self.model,
            system="",
            prompt=prompt,
            max_tokens=given.max_tokens,
            temperature=params.temperature if params else None,
            # 1.0 says the same as nothing, and some models refuse both parameters in one request.
            top_p=given.top_p if "top_p" in given.model_fields_set else None,
            stop=tuple(given.stop or ()),
            timeouts=Timeouts(connect_s=min(CONNECT_S, timeout_s), first_byte_s=timeout_s, between_chunks_s=timeout_s),
        )


class OpenAIProvider(VendorProvider):
    """OpenAI."""

    vendor = "openai"


class AnthropicProvider(VendorProvider):
    """Anthropic's Claude."""

    vendor = "anthropic"


class GoogleProvider(VendorProvider):
    """Google's Gemini."""

    vendor = "google"


class DeepSeekProvider(VendorProvider):
    """DeepSeek."""

    vendor = "deepseek"


class KimiProvider(VendorProvider):
    """Moonshot's Kimi."""

    vendor = "kimi"


class MiniMaxProvider(VendorProvider):
    """MiniMax."""

    vendor = "minimax"


class ZhipuProvider(VendorProvider):
    """Zhipu's GLM."""

    vendor = "zhipu"


class XAIProvider(VendorProvider):
    """xAI's Grok."""

    vendor = "xai"


class MistralProvider(VendorProvider):
    """Mistral."""

    vendor = "mistral"


class OpenRouterProvider(VendorProvider):
    """OpenRouter, which passes requests on to many vendors."""

    vendor = "openrouter"


class GigaChatProvider(VendorProvider):
    """Sber's GigaChat. `api_key` is the authorization key, `scope` what it was issued for."""

    vendor = "gigachat"
    default_model = "GigaChat"


class YandexGPTProvider(VendorProvider):
    """YandexGPT. `api_key` is an IAM token; an API key comes from `YANDEX_API_KEY`. Needs a `folder_id`."""

    vendor = "yandex"
    default_model = "yandexgpt/latest"


class OllamaProvider(VendorProvider):
    """Models on this machine, or at `base_url`."""

    vendor = "ollama"


class OpenAICompatibleProvider(VendorProvider):
    """Any endpoint that speaks OpenAI's Chat Completions at `base_url`. Its prices are not known."""

    def _find_settings(self) -> VendorSettings:
        return endpoint_settings(self.config, type(self).__name__)
