"""Vendors without an SDK: a JSON body goes out, JSON objects come back, as server-sent events or one per line."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx2

from orchestrator.providers.wire import ProtocolViolation, WireProvider

MAX_LINE_BYTES = 4 << 20
MAX_ERROR_BYTES = 64 << 10

_DONE = b"[DONE]"
_END_S = 1.0


class StatusError(Exception):
    """An answer with another status than 200. `body` is its JSON object, empty where it has none."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class ErrorInStream(Exception):
    """An object in the stream that is an error. `error` is what it says."""

    def __init__(self, error: object) -> None:
        super().__init__("an error inside of the stream")
        self.error: dict[str, Any] = error if isinstance(error, dict) else {}


class PlainHttpProvider(WireProvider):
    """Sends requests without an SDK."""

    async def post(self, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> httpx2.Response:
        """The response to a JSON body, its own body not yet read. Raises StatusError for another status than 200."""
        request = self.http.build_request("POST", url, headers=dict(headers), json=body)
        response = await self.http.send(request, stream=True)
        if response.status_code != httpx2.codes.OK:
            raise StatusError(response.status_code, await _error_body(response))
        return response


async def json_lines(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """The objects of a body with one per line. Raises ProtocolViolation for a line that is none."""
    async for line in _lines(response):
        if line:
            yield _object(line)


async def json_events(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """The objects of server-sent events, up to `[DONE]`. Raises ProtocolViolation for one that is none."""
    data: list[bytes] = []
    lines = _lines(response)
    async for line in lines:
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").strip())
        elif not line and data:
            event, data = b"\n".join(data), []
            if event == _DONE:
                await _read_to_the_end(lines)
                return
            yield _object(event)


def number_in(text: object) -> object:
    """The number that a string of digits is, else `text` itself: int64 travels as a string in some JSON."""
    return int(text) if isinstance(text, str) and text.isdigit() else text


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in response.aiter_bytes():
        held += chunk
        *lines, rest = held.split(b"\n")
        for line in lines:
            yield bytes(line).rstrip(b"\r")
        held = rest
        if len(held) > MAX_LINE_BYTES:
            raise ProtocolViolation("a line of the stream is too long")
    if held:
        yield bytes(held)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise ProtocolViolation("a piece of the stream is not JSON") from None
    if not isinstance(value, dict):
        raise ProtocolViolation("a piece of the stream is not an object")
    return value


async def _read_to_the_end(lines: AsyncIterator[bytes]) -> None:
    """A connection whose answer was read to its end serves the next request. What does not end soon is closed."""
    with suppress(TimeoutError, httpx2.TransportError):
        async with asyncio.timeout(_END_S):
            async for _ in lines:
                pass


async def _error_body(response: httpx2.Response) -> dict[str, Any]:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            return {}
    try:
        value = json.loads(bytes(body))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
