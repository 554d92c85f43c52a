"""OpenAI and whoever speaks its Chat Completions: DeepSeek, Kimi, MiniMax, Zhipu, any other endpoint."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Literal, NamedTuple

from openai import APIError, AsyncOpenAI, Omit
from openai.types import CompletionUsage

from orchestrator.domain.errors import FailureKind
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.schemas import strict_schema
from orchestrator.providers.wire import (
    ErrorDetails,
    Piece,
    ProtocolViolation,
    WireProvider,
    http_client,
    token_count,
)
from orchestrator.settings import VendorSettings

_OPENAI_URL = "https://api.openai.com/v1"

# Models that charge for writing their prompt cache (gpt-5.6 and later).
_WRITES_CACHE = re.compile(r"gpt-(5\.[6-9]|[6-9]|\d\d)")

_FINISH = {
    "stop": FinishReason.STOP,
    "tool_calls": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTER,
    "sensitive": FinishReason.FILTER,
}


class Dialect(NamedTuple):
    """Where a vendor differs from OpenAI.

    `json`: the request carries the schema, or only asks for some JSON, or neither. `codes`: meanings of error
    codes that are this vendor's own.
    """

    max_tokens: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    json: Literal["schema", "object", "prompt"] = "object"
    codes: Mapping[str, FailureKind] = {}


_DIALECTS = {
    "openai": Dialect("max_completion_tokens", "schema"),
    "deepseek": Dialect(),
    "kimi": Dialect(),
    "minimax": Dialect("max_completion_tokens", "prompt"),
    "zhipu": Dialect(
        codes={
            "1113": FailureKind.BILLING,
            "1261": FailureKind.CONTEXT_TOO_LONG,
            "1301": FailureKind.FILTERED,
        }
    ),
}


class OpenAICompatibleProvider(WireProvider):
    """A vendor behind a Chat Completions endpoint."""

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        self._dialect = _DIALECTS.get(settings.vendor, Dialect())
        self.special_codes = self._dialect.codes
        # The SDK adds the OpenAI organisation of the environment: no other vendor's business.
        foreign: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        self._client = AsyncOpenAI(
            api_key=settings.api_key.get_secret_value(),
            base_url=settings.base_url or _OPENAI_URL,
            max_retries=0,
            http_client=http_client(),
            default_headers={} if settings.vendor == "openai" else foreign,
        )

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed completion."""
        system = request.system
        extra: dict[str, Any] = {self._dialect.max_tokens: request.max_tokens}
        if request.json_schema is not None:
            system, response_format = self._structured(system, request.json_schema)
            if response_format is not None:
                extra["response_format"] = response_format
        if request.temperature is not None:
            extra["temperature"] = request.temperature
        if self.vendor == "openai" and _WRITES_CACHE.match(request.model):
            # Implicit cache writes cost a surcharge that no reservation knows of.
            extra["prompt_cache_options"] = {"mode": "explicit"}
        events: AsyncIterator[Any] = await self._client.chat.completions.create(
            model=request.model,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": request.prompt},
            ],
            stream=True,
            stream_options={"include_usage": True},
            **extra,
        )
        return events

    def _structured(self, system: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        strict = strict_schema(schema)
        if self._dialect.json == "schema":
            shape = {"name": "answer", "strict": True, "schema": strict}
            return system, {"type": "json_schema", "json_schema": shape}
        system = f"{system}\n\nAnswer with one JSON object that follows this JSON Schema:\n{json.dumps(strict)}"
        return system, {"type": "json_object"} if self._dialect.json == "object" else None

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per chunk; the last chunk has usage and no choice."""
        refused = False
        async for chunk in events:
            usage = _usage(chunk.usage) if chunk.usage is not None else None
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
            yield Piece(choice.delta.content or "", finish, usage)

    def error_details(self, error: Exception) -> ErrorDetails:
        """`error.code` and `error.type` of the body."""
        if not isinstance(error, APIError):
            return ErrorDetails()
        return ErrorDetails(tuple(str(value) for value in (error.code, error.type) if value))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _usage(reported: CompletionUsage) -> Usage | None:
    details = reported.prompt_tokens_details
    cached = details.cached_tokens if details is not None else (reported.model_extra or {}).get("cached_tokens")
    try:
        return Usage(
            input_tokens=token_count(reported.prompt_tokens),
            cached_input_tokens=token_count(cached),
            output_tokens=token_count(reported.completion_tokens),
        )
    except ValueError:
        return None
