"""Access tokens of GigaChat: fetched with the key, kept while they are valid, renewed once for all who wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from orchestrator.providers.wire import ProtocolViolation

_MARGIN_S = 60.0  # a token is renewed so long before its end, or at half of a shorter life
_MILLISECONDS_FROM = 10**11  # a time above this is given in milliseconds


class AccessToken(NamedTuple):
    """A token and the moment, in seconds since the epoch, from which on it is renewed."""

    text: str
    renew_at_s: float


class TokenSource:
    """One valid token for all requests of a process.

    `fetch` asks the vendor for a token. It runs once for all who wait, in a task of its own, so that who gives up
    stops nobody else; when it fails, all who wait fail, and the next one tries again.
    """

    def __init__(self, fetch: Callable[[], Awaitable[AccessToken]]) -> None:
        self._fetch = fetch
        self._token: AccessToken | None = None
        self._renewal: asyncio.Task[AccessToken] | None = None

    async def get(self, rejected: str = "") -> str:
        """A token other than `rejected`, which the vendor refused before its time."""
        token = self._token
        if token is not None and token.text != rejected and time.time() < token.renew_at_s:
            return token.text
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
        return (await asyncio.shield(self._renewal)).text

    async def aclose(self) -> None:
        """Stop a renewal that is under way."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    async def _renew(self) -> AccessToken:
        self._token = token = await self._fetch()
        return token


def read_token(body: Any, now_s: float, vendors_now_s: float) -> AccessToken:
    """The token of an answer of the vendor, or of a gateway, which uses shorter names.

    Its end is told by the vendor's clock, which need not agree with ours.
    """
    if not isinstance(body, dict):
        raise ProtocolViolation("the answer has no token")
    text = body.get("access_token", body.get("tok"))
    ends = body.get("expires_at", body.get("exp"))
    if not isinstance(text, str) or not text or isinstance(ends, bool) or not isinstance(ends, int | float):
        raise ProtocolViolation("the answer has no token")
    ends_s = ends / 1000 if ends > _MILLISECONDS_FROM else float(ends)
    life_s = max(ends_s - vendors_now_s, 0.0)
    return AccessToken(text, now_s + life_s - min(_MARGIN_S, life_s / 2))
