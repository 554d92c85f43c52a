"""Ollama over its native chat API: one JSON object per line."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx2

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.plain_http import ErrorInStream, PlainHttpProvider, json_lines
from orchestrator.providers.schemas import strict_schema
from orchestrator.providers.wire import ErrorDetails, NotSentError, Piece, ProtocolViolation, token_count
from orchestrator.settings import VendorSettings

_FINISH = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}

_SMALLEST_CONTEXT = 4096
_BYTES_PER_TOKEN = 3  # of English text and code there are more: the context is rather too large than too small


class OllamaWire(PlainHttpProvider):
    """Models that an Ollama server has. They need no key and cost nothing.

    The server would cut a prompt that is longer than its context without a word, so every request says how much
    context it needs, and that nothing may be cut.
    """

    content_types = ("application/x-ndjson", "application/json")

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        self._most_context = int(settings.options["num_ctx"])

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed chat. Raises NotSentError for a prompt that the context cannot hold."""
        return json_lines(await self.post(f"{self.base_url}/api/chat", {}, self._body(request)))

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per object; the last one has the reason and the counts."""
        async for event in events:
            if "error" in event:
                raise ErrorInStream(event["error"])
            text = (event.get("message") or {}).get("content") or ""
            if not event.get("done"):
                yield Piece(text)
                continue
            finish = _FINISH.get(event.get("done_reason", ""))
            if finish is None and "done_reason" in event:
                raise ProtocolViolation("the answer ended for a reason that was not asked for")
            yield Piece(text, finish, _usage(event))

    def error_details(self, error: Exception) -> ErrorDetails:
        """Nothing: errors are a sentence without a code."""
        return ErrorDetails()

    async def probe(self) -> httpx2.Response:
        """The list of models."""
        return await self.http.get(f"{self.base_url}/api/tags")

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        first = [{"role": "system", "content": request.system}] if request.system else []
        options: dict[str, Any] = {"num_predict": request.max_tokens, "num_ctx": self._context(request)}
        optional = {"temperature": request.temperature, "top_p": request.top_p, "stop": list(request.stop) or None}
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [*first, {"role": "user", "content": request.prompt}],
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": options | {name: value for name, value in optional.items() if value is not None},
        }
        if request.json_schema is not None:
            body["format"] = strict_schema(request.json_schema)
        return body

    def _context(self, request: ModelRequest) -> int:
        """Tokens of context for the prompt and the answer: a power of two, since each new size loads the model anew."""
        prompt_tokens = len((request.system + request.prompt).encode()) // _BYTES_PER_TOKEN
        if prompt_tokens >= self._most_context:
            message = f"{self.vendor}: the prompt does not fit into OLLAMA_NUM_CTX={self._most_context}"
            raise NotSentError(CallFailure(kind=FailureKind.CONTEXT_TOO_LONG, fate=Fate.UNBILLED, message=message))
        size = _SMALLEST_CONTEXT
        while size < prompt_tokens + request.max_tokens:
            size *= 2
        return min(size, self._most_context)


def _usage(reported: dict[str, Any]) -> Usage | None:
    """Thinking is part of `eval_count`. A prompt that was wholly in the cache has no count."""
    if "eval_count" not in reported:
        return None
    try:
        return Usage(
            input_tokens=token_count(reported.get("prompt_eval_count")),
            output_tokens=token_count(reported["eval_count"]),
        )
    except ValueError:
        return None
