"""The interface of the library's providers: a prompt in, a text out. `Router` works with any of them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from orchestrator.providers.base import FinishReason, ModelAnswer


class ProviderConfig(BaseModel):
    """How one provider is reached.

    `name` is what the router, its metrics and its logs call it. `timeout` (seconds) limits the wait for the first
    byte and between two pieces of an answer; `max_retries` is how often a failed request is repeated.
    Assigning a new `api_key` takes effect with the next request: tokens such as Yandex's expire.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, hide_input_in_errors=True)

    name: str = Field(min_length=1)
    api_key: SecretStr | None = None
    base_url: str | None = None
    timeout: int = Field(default=30, ge=1, le=300)
    max_retries: int = Field(default=3, ge=0, le=10)
    verify_ssl: bool = True
    model: str | None = None
    scope: str | None = None  # GigaChat
    folder_id: str | None = None  # YandexGPT


class GenerationParams(BaseModel):
    """How an answer is generated.

    Without it the vendor's own defaults hold. With it, all of it holds, but `top_p` is sent only where it was set, and
    models that refuse a temperature are sent none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=0.7, ge=0.0, le=2.0)
    max_tokens: int = Field(default=1000, ge=1)
    top_p: float = Field(default=1.0, ge=0.0, le=1.0)
    stop: list[str] | None = None


class BaseProvider(ABC):
    """Base of all providers. Own ones implement `generate` and `health_check`, and raise classes of `errors`.

    `vendor` is the name under which the catalog lists prices; empty: the price is not known.
    """

    vendor: ClassVar[str] = ""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    @property
    def model(self) -> str:
        """Name of the model that is asked; empty where the provider has but one."""
        return self.config.model or ""

    @abstractmethod
    async def generate(self, prompt: str, params: GenerationParams | None = None) -> str:
        """The answer to `prompt`. Raises ProviderError."""

    @abstractmethod
    async def health_check(self) -> bool:
        """Whether requests may be expected to succeed. Costs nothing and raises nothing."""

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        """The answer in pieces. Here: in one."""
        yield await self.generate(prompt, params)

    async def answer(self, prompt: str, params: GenerationParams | None = None) -> ModelAnswer:
        """The answer with its usage, which is None where the provider does not know it."""
        return ModelAnswer(text=await self.generate(prompt, params), usage=None, finish=FinishReason.STOP)

    async def answer_stream(
        self, prompt: str, params: GenerationParams | None = None
    ) -> AsyncGenerator[str | ModelAnswer]:
        """The answer in pieces of text, then once more as a whole with its usage."""
        texts = []
        pieces = self.generate_stream(prompt, params)
        try:
            async for text in pieces:
                texts.append(text)
                yield text
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        yield ModelAnswer(text="".join(texts), usage=None, finish=FinishReason.STOP)

    def get_model_info(self) -> dict[str, str | None]:
        """Name, model and type of the provider."""
        return {"name": self.config.name, "model": self.config.model, "provider_type": type(self).__name__}

    async def aclose(self) -> None:
        """Close the connections that the running event loop uses."""
        return

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.config.name!r}, model={self.model!r})"
