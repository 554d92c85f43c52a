"""YandexGPT over its native text generation API: one JSON object per line, each with the whole text so far."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx2

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.plain_http import ErrorInStream, PlainHttpProvider, StatusError, json_lines, number_in
from orchestrator.providers.schemas import strict_schema
from orchestrator.providers.wire import ErrorDetails, Piece, ProtocolViolation, token_count
from orchestrator.settings import VendorSettings
from orchestrator.settings.vendors.yandex import IAM_TOKEN_NAME

_FINISH = {
    "ALTERNATIVE_STATUS_FINAL": FinishReason.STOP,
    "ALTERNATIVE_STATUS_TRUNCATED_FINAL": FinishReason.LENGTH,
    "ALTERNATIVE_STATUS_CONTENT_FILTER": FinishReason.FILTER,
}
_COUNTS = ("inputTextTokens", "completionTokens", "totalTokens")
_GOES_ON = ("ALTERNATIVE_STATUS_PARTIAL", "ALTERNATIVE_STATUS_UNSPECIFIED", None)


class YandexWire(PlainHttpProvider):
    """Models of Yandex Cloud, and others that it serves. `model` is a name, or a whole `gpt://` address."""

    content_types = ("application/json", "application/x-ndjson", "text/event-stream")

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        self._folder = settings.options["folder_id"]
        scheme = "Bearer" if settings.key_name == IAM_TOKEN_NAME else "Api-Key"
        key = settings.api_key.get_secret_value()
        self._headers = _Secret(
            {"authorization": f"{scheme} {key}", "x-folder-id": self._folder, "x-data-logging-enabled": "false"}
        )

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed completion."""
        body = self._body(request)
        response = await self.post(f"{self.base_url}/foundationModels/v1/completion", self._headers.value, body)
        return json_lines(response)

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """What each object adds to the text of the one before."""
        so_far = ""
        async for event in events:
            if "error" in event:
                raise ErrorInStream(event["error"])
            result = event.get("result", event)
            usage = _usage(result.get("usage"))
            alternatives = result.get("alternatives")
            if not alternatives:
                yield Piece(usage=usage)
                continue
            text = (alternatives[0].get("message") or {}).get("text") or ""
            status = alternatives[0].get("status")
            finish = _FINISH.get(status)
            if finish is None and status not in _GOES_ON:
                raise ProtocolViolation("the answer ended for a reason that was not asked for")
            if not text.startswith(so_far) and text:
                raise ProtocolViolation("the text does not go on where it was")
            yield Piece(text.removeprefix(so_far), finish, usage)
            so_far = text or so_far

    def error_details(self, error: Exception) -> ErrorDetails:
        """`httpCode` and `code` of the error, which is the body or inside of it."""
        body = error.body if isinstance(error, StatusError) else error.error if isinstance(error, ErrorInStream) else {}
        inner = body.get("error", body)
        if not isinstance(inner, dict):
            return ErrorDetails()
        values = (inner.get("httpCode"), inner.get("code"))
        return ErrorDetails(tuple(str(value) for value in values if isinstance(value, int | str)))

    async def probe(self) -> httpx2.Response:
        """How many tokens a word has: that is free of charge."""
        body = {"modelUri": self._address("yandexgpt-lite/latest"), "text": "a"}
        url = f"{self.base_url}/foundationModels/v1/tokenize"
        return await self.http.post(url, headers=self._headers.value, json=body)

    def _address(self, model: str) -> str:
        return model if "://" in model else f"gpt://{self._folder}/{model}"

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        first = [{"role": "system", "text": request.system}] if request.system else []
        options: dict[str, Any] = {"stream": True, "maxTokens": str(request.max_tokens)}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        body: dict[str, Any] = {
            "modelUri": self._address(request.model),
            "completionOptions": options,
            "messages": [*first, {"role": "user", "text": request.prompt}],
        }
        if request.json_schema is not None:
            body["jsonSchema"] = {"schema": strict_schema(request.json_schema)}
        return body


class _Secret:
    """Headers with a key in them, which no repr shows."""

    def __init__(self, value: dict[str, str]) -> None:
        self.value = value


def _usage(reported: object) -> Usage | None:
    """Counts are strings. The total includes thinking, whether or not the count of the completion does."""
    if not isinstance(reported, dict) or "inputTextTokens" not in reported:
        return None
    try:
        asked, answered, total = (
            token_count(number_in(reported.get(name)))
            for name in ("inputTextTokens", "completionTokens", "totalTokens")
        )
    except ValueError:
        return None
    return Usage(input_tokens=asked, output_tokens=max(answered, total - asked))
