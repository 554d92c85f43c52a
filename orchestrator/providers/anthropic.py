"""Anthropic over its Messages API."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from anthropic import APIStatusError, AsyncAnthropic
from httpx2 import Response

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.schemas import strict_schema
from orchestrator.providers.wire import (
    ErrorDetails,
    Piece,
    ProtocolViolation,
    WireProvider,
    token_count,
)
from orchestrator.settings import VendorSettings

_VERSION = "2023-06-01"

_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSAL,
}


class AnthropicWire(WireProvider):
    """Claude models."""

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        self._writes_cache = settings.options.get("prompt_cache") == "on"
        self._client = AsyncAnthropic(
            api_key=settings.api_key.get_secret_value(),
            base_url=self.base_url,
            max_retries=0,
            http_client=self.http,
            open_telemetry=False,  # we write the span of a call; two would double every sum of cost
        )

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed message."""
        extra: dict[str, Any] = {}
        if request.system:
            extra["system"] = self._cached(request.system) if self._writes_cache else request.system
        if request.json_schema is not None:
            shape = {"type": "json_schema", "schema": strict_schema(request.json_schema)}
            extra["output_config"] = {"format": shape}
        if request.stop and self.capabilities.takes_stop(request.model):
            extra["stop_sequences"] = list(request.stop)
        # Newer models refuse these, so the SDK has no parameters for them any more.
        sampling = {"temperature": request.temperature, "top_p": request.top_p}
        events: AsyncIterator[Any] = await self._client.messages.create(
            model=request.model,
            max_tokens=request.max_tokens,
            messages=[{"role": "user", "content": request.prompt}],
            stream=True,
            extra_body={name: value for name, value in sampling.items() if value is not None},
            **extra,
        )
        return events

    def _cached(self, system: str) -> list[dict[str, Any]]:
        """The system text, to be kept for five minutes: what requests of one kind have in common."""
        return [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per event. Usage comes in parts: input with the first event, output with the last."""
        tokens = _Tokens()
        async for event in events:
            text, finish = "", None
            if event.type == "message_start":
                tokens.update(event.message.usage)
            elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                text = event.delta.text
            elif event.type == "message_delta":
                tokens.update(event.usage)
                if event.delta.stop_reason:
                    finish = _FINISH.get(event.delta.stop_reason)
                    if finish is None:
                        raise ProtocolViolation("the answer ended for a reason that was not asked for")
            yield Piece(text, finish, tokens.usage() if finish else None)

    def error_details(self, error: Exception) -> ErrorDetails:
        """`error.details.error_code` and `error.type` of the body."""
        if not isinstance(error, APIStatusError):
            return ErrorDetails()
        return ErrorDetails(tuple(str(value) for value in (error.error_code, error.type) if value))

    async def probe(self) -> Response:
        """The list of models."""
        headers = {"x-api-key": self._secret.get_secret_value(), "anthropic-version": _VERSION}
        return await self.http.get(f"{self.base_url}/v1/models", headers=headers)


class _Tokens:
    """Counts of one stream. They are cumulative, so a later one replaces an earlier one."""

    _NAMES = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")

    def __init__(self) -> None:
        self._counts: dict[str, object] = {}

    def update(self, reported: object) -> None:
        """Take what an event reports; absent values leave the earlier ones."""
        for name in self._NAMES:
            value = getattr(reported, name, None)
            if value is not None:
                self._counts[name] = value

    def usage(self) -> Usage | None:
        """Sum of the counts: Anthropic reports what the cache gave and took apart from other input."""
        if not {"input_tokens", "output_tokens"} <= self._counts.keys():
            return None
        try:
            counts = {name: token_count(self._counts.get(name)) for name in self._NAMES}
        except ValueError:
            return None
        cached, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
        return Usage(
            input_tokens=counts["input_tokens"] + cached + written,
            cached_input_tokens=cached,
            cache_write_tokens=written,
            output_tokens=counts["output_tokens"],
        )
