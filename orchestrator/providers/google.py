"""Gemini over google-genai."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from google.genai import Client
from google.genai.errors import APIError
from google.genai.types import (
    AutomaticFunctionCallingConfig,
    GenerateContentConfig,
    GenerateContentResponseUsageMetadata,
    HttpOptions,
)
from google.genai.types import (
    FinishReason as GeminiFinish,
)
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

_VERSION_AT_END = re.compile(r"/(v\d\w*)/?$")

_FILTERED = (
    GeminiFinish.SAFETY,
    GeminiFinish.RECITATION,
    GeminiFinish.BLOCKLIST,
    GeminiFinish.PROHIBITED_CONTENT,
    GeminiFinish.SPII,
    GeminiFinish.LANGUAGE,
    GeminiFinish.ESCALATION,
    GeminiFinish.MODEL_ARMOR,
)
_FINISH = {
    GeminiFinish.STOP: FinishReason.STOP,
    GeminiFinish.MAX_TOKENS: FinishReason.LENGTH,
    GeminiFinish.CONTINUATION: FinishReason.LENGTH,
    **dict.fromkeys(_FILTERED, FinishReason.FILTER),
}


class GoogleWire(WireProvider):
    """Gemini models. An address that ends in a version (`/v1beta`) names the version of the API."""

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        version = _VERSION_AT_END.search(self.base_url)
        # The SDK closes its connections when the client is collected: keep the client, not `client.aio`.
        self._client = Client(
            vertexai=False,
            api_key=settings.api_key.get_secret_value(),
            http_options=HttpOptions(
                base_url=_VERSION_AT_END.sub("", self.base_url),
                api_version=version.group(1) if version else None,
                httpx_async_client=self.http,
            ),
        )

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed generation. The SDK sends it when the first event is asked for."""
        config = GenerateContentConfig(
            system_instruction=request.system or None,
            max_output_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            stop_sequences=list(request.stop) if request.stop and self.capabilities.takes_stop(request.model) else None,
            automatic_function_calling=AutomaticFunctionCallingConfig(disable=True),
            automatic_continuation=False,  # it would send further requests that nobody reserved
        )
        if request.json_schema is not None:
            config.response_mime_type = "application/json"
            config.response_json_schema = strict_schema(request.json_schema)
        return await self._client.aio.models.generate_content_stream(
            model=request.model, contents=request.prompt, config=config
        )

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per chunk. A prompt that the vendor blocked has no candidate."""
        async for chunk in events:
            usage = _usage(chunk.usage_metadata)
            if not chunk.candidates:
                blocked = chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason
                yield Piece(finish=FinishReason.FILTER if blocked else None, usage=usage)
                continue
            candidate = chunk.candidates[0]
            parts = (candidate.content.parts if candidate.content else None) or []
            text = "".join(part.text for part in parts if part.text and not part.thought)
            finish = None
            if candidate.finish_reason:
                finish = _FINISH.get(candidate.finish_reason)
                if finish is None:
                    raise ProtocolViolation("the answer ended for a reason that was not asked for")
            yield Piece(text, finish, usage)

    def error_details(self, error: Exception) -> ErrorDetails:
        """Reasons of `error.details[]` (google.rpc.ErrorInfo), then `error.status`; RetryInfo as the hint."""
        if not isinstance(error, APIError):
            return ErrorDetails()
        codes, retry_after_s = [], None
        for entry in _detail_entries(error.details):
            if isinstance(entry.get("reason"), str):
                codes.append(entry["reason"])
            delay = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(entry.get("retryDelay", "")))
            if delay:
                retry_after_s = float(delay.group(1))
        return ErrorDetails((*codes, str(error.status or ""), str(error.code)), retry_after_s)

    async def probe(self) -> Response:
        """The list of models."""
        address = self.base_url if _VERSION_AT_END.search(self.base_url) else f"{self.base_url}/v1beta"
        headers = {"x-goog-api-key": self._secret.get_secret_value()}
        return await self.http.get(f"{address}/models", headers=headers)

    async def aclose(self) -> None:
        """Close the connections."""
        await super().aclose()
        self._client.close()


def _detail_entries(body: Any) -> list[dict[str, Any]]:
    error = body.get("error") if isinstance(body, dict) else None
    entries = error.get("details") if isinstance(error, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _usage(reported: GenerateContentResponseUsageMetadata | None) -> Usage | None:
    """Gemini reports hidden thoughts apart from the answer; both are billed as output."""
    if reported is None or reported.prompt_token_count is None:
        return None
    try:
        return Usage(
            input_tokens=token_count(reported.prompt_token_count),
            cached_input_tokens=token_count(reported.cached_content_token_count),
            output_tokens=token_count(reported.candidates_token_count) + token_count(reported.thoughts_token_count),
        )
    except ValueError:
        return None
