"""GigaChat: its own token before each request, then a dialect of Chat Completions."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2

from orchestrator.domain.errors import Fate
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelRequest
from orchestrator.providers.exchange import Exchange, exchange_of_task
from orchestrator.providers.failures import moment_of
from orchestrator.providers.gigachat_token import AccessToken, TokenSource, read_token
from orchestrator.providers.plain_http import ErrorInStream, PlainHttpProvider, StatusError, json_events
from orchestrator.providers.schemas import strict_schema
from orchestrator.providers.wire import (
    ErrorDetails,
    NotSentError,
    Piece,
    ProtocolViolation,
    token_count,
)
from orchestrator.settings import VendorSettings

_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "blacklist": FinishReason.FILTER,
}


class GigaChatWire(PlainHttpProvider):
    """Models of Sber. A token that is refused is renewed once for all requests, and the request sent once more."""

    def __init__(self, settings: VendorSettings) -> None:
        super().__init__(settings)
        self._options = settings.options
        self._tokens = TokenSource(self._fetch_token)

    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Start a streamed completion."""
        body = _body(request)
        token = await self._tokens.get()
        try:
            return json_events(await self._chat(body, token))
        except StatusError as error:
            if error.status != httpx2.codes.UNAUTHORIZED:
                raise
        refused = exchange_of_task.get().response
        if refused is not None:
            await refused.aclose()
        return json_events(await self._chat(body, await self._tokens.get(rejected=token)))

    async def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """One piece per event; usage comes with the last one."""
        async for event in events:
            if "error" in event or "status" in event:
                raise ErrorInStream(event.get("error", event))
            usage = _usage(event.get("usage"))
            choices = event.get("choices")
            if not choices:
                yield Piece(usage=usage)
                continue
            finish, reason = None, choices[0].get("finish_reason")
            if reason:
                finish = _FINISH.get(reason)
                if finish is None:
                    raise ProtocolViolation("the answer ended for a reason that was not asked for")
            yield Piece(choices[0].get("delta", {}).get("content") or "", finish, usage)

    def error_details(self, error: Exception) -> ErrorDetails:
        """`code` and `status` of the body."""
        body = error.body if isinstance(error, StatusError) else error.error if isinstance(error, ErrorInStream) else {}
        values = (body.get("code"), body.get("status"))
        return ErrorDetails(tuple(str(value) for value in values if isinstance(value, int | str)))

    async def probe(self) -> httpx2.Response:
        """The list of models."""
        headers = _headers(await self._tokens.get())
        return await self.http.get(f"{self.base_url}/models", headers=headers)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._tokens.aclose()
        await super().aclose()

    async def _chat(self, body: dict[str, Any], token: str) -> httpx2.Response:
        return await self.post(f"{self.base_url}/chat/completions", _headers(token), body)

    async def _fetch_token(self) -> AccessToken:
        """Raises NotSentError: what fails here has cost nothing."""
        exchange = Exchange(exchange_of_task.get().timeouts)
        exchange_of_task.set(exchange)  # in the renewal's own task: the request that waits for it has sent nothing
        key = self._secret.get_secret_value()
        headers = {"authorization": f"{self._options['auth_scheme']} {key}", "rquid": str(uuid4())}
        try:
            response = await self.http.post(
                self._options["auth_url"], headers=headers, data={"scope": self._options["scope"]}
            )
            if response.status_code != httpx2.codes.OK:
                raise StatusError(response.status_code, {})
            now = datetime.now(UTC)
            vendors_now = moment_of(response.headers, now)
            return read_token(response.json(), now.timestamp(), vendors_now.timestamp())
        except Exception as error:  # noqa: BLE001 - whatever happens here is one classified failure
            failure = self._failure(error, exchange)
        raise NotSentError(failure.model_copy(update={"fate": Fate.UNBILLED}))


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "rquid": str(uuid4()), "accept": "text/event-stream"}


def _body(request: ModelRequest) -> dict[str, Any]:
    first = [{"role": "system", "content": request.system}] if request.system else []
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [*first, {"role": "user", "content": request.prompt}],
        "max_tokens": request.max_tokens,
        "stream": True,
    }
    if request.json_schema is not None:
        schema = strict_schema(request.json_schema)
        body["response_format"] = {"type": "json_schema", "schema": schema, "strict": True}
    optional = {"temperature": request.temperature, "top_p": request.top_p, "stop": list(request.stop) or None}
    return body | {name: value for name, value in optional.items() if value is not None}


def _usage(reported: object) -> Usage | None:
    """`prompt_tokens` is without what came from the cache, which is free of charge."""
    if not isinstance(reported, dict) or "prompt_tokens" not in reported:
        return None
    try:
        cached = token_count(reported.get("precached_prompt_tokens"))
        return Usage(
            input_tokens=token_count(reported["prompt_tokens"]) + cached,
            cached_input_tokens=cached,
            output_tokens=token_count(reported.get("completion_tokens")),
        )
    except ValueError:
        return None
