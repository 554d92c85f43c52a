"""OpenAI and whoever speaks its Chat Completions; where a vendor differs is declared in its capabilities."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from httpx2 import Response
from openai import APIError, AsyncOpenAI, Omit
from openai.types import CompletionUsage

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.schemas import schema_as_text, strict_schema
from orchestrator.providers.wire import ErrorDetails, Piece, ProtocolViolation, WireProvider, token_count
from orchestrator.settings import VendorSettings

_FINISH = {
    "stop": FinishReason.STOP,
    "tool_calls": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTER,
    "sensitive": FinishReason.FILTER,
}


class OpenAICompatibleWire(WireProvider):
    """A vendor behind a Chat Completions endpoint."""

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        # The SDK adds the OpenAI organisation of the environment: no other vendor's business.
        foreign: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        self._client = AsyncOpenAI(
            api_key=settings.api_key.get_secret_value() or "none",
            base_url=self.base_url,
            max_retries=0,
            http_client=self.http,
            default_headers={} if settings.vendor == "openai" else foreign,
        )
        self._caches = settings.options.get("prompt_cache") == "on"
        self._keyless: dict[str, Any] = {} if settings.api_key.get_secret_value() else {"Authorization": Omit()}

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed completion."""
        able = self.capabilities
        body: dict[str, Any] = {
            **able.body_for(request.model, caches=self._caches),
            "messages": self._messages(request),
            able.max_tokens: request.max_tokens,
        }
        optional = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) if request.stop and able.takes_stop(request.model) else None,
            "stream_options": {"include_usage": True} if able.stream_usage == "asked" else None,
            "response_format": self._response_format(request),
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        # As `extra_body`, since the fields of other vendors are no parameters of the SDK. The messages with them, which
        # replace the empty ones: as a parameter each is compared with every kind of message, half a millisecond a call.
        events: AsyncIterator[Any] = await self._client.chat.completions.create(
            model=request.model,
            messages=[],
            stream=True,
            extra_body=body,
            extra_headers=self._keyless,
        )
        return events

    def _messages(self, request: ModelRequest) -> list[Any]:
        system = request.system
        if request.json_schema is not None and self.capabilities.structured_output != "schema":
            system = f"{system}\n\n{schema_as_text(request.json_schema)}".lstrip()
        if self.capabilities.system_role == "user":
            return [{"role": "user", "content": f"{system}\n\n{request.prompt}".lstrip()}]
        first = [{"role": "system", "content": system}] if system else []
        return [*first, {"role": "user", "content": request.prompt}]

    def _response_format(self, request: ModelRequest) -> dict[str, Any] | None:
        if request.json_schema is None or self.capabilities.structured_output == "prompt":
            return None
        if self.capabilities.structured_output == "object":
            return {"type": "json_object"}
        shape = {"name": "answer", "strict": True, "schema": strict_schema(request.json_schema)}
        return {"type": "json_schema", "json_schema": shape}

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per chunk; the last chunk may have usage and no choice."""
        refused = False
        async for chunk in events:
            self._require_success(chunk)
            usage = self._usage(chunk.usage) if chunk.usage is not None else None
            if not chunk.choices:
                yield Piece(usage=usage)
                continue
            choice = chunk.choices[0]
            refused = refused or bool(choice.delta.refusal)
            finish = None
            if choice.finish_reason:
                finish = _FINISH.get(choice.finish_reason)
                if finish is None:
                    raise ProtocolViolation("the answer ended for a reason that is not in the protocol")
                finish = FinishReason.REFUSAL if refused else finish
            yield Piece(_text(choice.delta.content), finish, usage)

    def _require_success(self, chunk: Any) -> None:
        """MiniMax reports errors in a chunk of its own kind."""
        state = (chunk.model_extra or {}).get("base_resp")
        code = state.get("status_code") if isinstance(state, dict) else None
        if code:
            raise _ErrorInChunk(str(code))

    def _usage(self, reported: CompletionUsage) -> Usage | None:
        details = reported.prompt_tokens_details
        extra = reported.model_extra or {}
        cached = details.cached_tokens if details is not None else None
        if cached is None:
            cached = extra.get("cached_tokens", extra.get("prompt_cache_hit_tokens"))
        written = details.cache_write_tokens if details is not None else None
        try:
            asked, answered = token_count(reported.prompt_tokens), token_count(reported.completion_tokens)
            if self.capabilities.thinking_usage == "beside_output":
                answered = max(answered, token_count(reported.total_tokens) - asked)
            return Usage(
                input_tokens=asked,
                cached_input_tokens=token_count(cached),
                cache_write_tokens=token_count(written),
                output_tokens=answered,
            )
        except ValueError:
            return None

    def error_details(self, error: Exception) -> ErrorDetails:
        """`error.code` and `error.type` of the body, and whether it has the input that was flagged."""
        if isinstance(error, _ErrorInChunk):
            return ErrorDetails((error.code,))
        if not isinstance(error, APIError):
            return ErrorDetails()
        metadata = error.body.get("metadata") if isinstance(error.body, dict) else None
        flagged = ("flagged_input",) if isinstance(metadata, dict) and "flagged_input" in metadata else ()
        return ErrorDetails((*flagged, *(str(value) for value in (error.code, error.type) if value)))

    async def probe(self) -> Response:
        """The list of models."""
        key = self._secret.get_secret_value()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return await self.http.get(f"{self.base_url}/models", headers=headers)


class _ErrorInChunk(Exception):
    """An error with a code of the vendor, inside of the stream."""

    def __init__(self, code: str) -> None:
        super().__init__("an error inside of the stream")
        self.code = code


def _text(content: Any) -> str:
    """The text of a delta. Thinking models of Mistral send a list of parts, of which thoughts are no text."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""
