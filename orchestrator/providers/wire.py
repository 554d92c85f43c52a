"""One streamed request over HTTP: what the wire families share.

A family opens the stream with its SDK and turns the SDK's events into pieces. This module adds what must be
the same everywhere: limits of time, the closing of the connection, the classification of what went wrong, and
no text of the vendor in any message.
"""

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx2

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError, Timeouts
from orchestrator.providers.exchange import Exchange, exchange_of_task, http_client
from orchestrator.providers.failures import kind_of_event, status_failure
from orchestrator.providers.texts import AnswerText
from orchestrator.settings import VendorSettings

EVENT_STREAM = "text/event-stream"
_ANSWERS = (httpx2.codes.OK, httpx2.codes.NOT_FOUND, httpx2.codes.METHOD_NOT_ALLOWED)

_log = logging.getLogger(__name__)

_NEVER_CONNECTED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


class Piece(NamedTuple):
    """What one event of a stream says. A piece without content is a sign of life."""

    text: str = ""
    finish: FinishReason | None = None
    usage: Usage | None = None


class ProtocolViolation(Exception):
    """The vendor's answer is not what its protocol says. The message is ours, without text of the vendor."""


class NotSentError(Exception):
    """The request was never sent: something that it needs could not be had."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ErrorDetails(NamedTuple):
    """What the body of an error status says: codes, most telling first, and a hint when to come back."""

    codes: tuple[str, ...] = ()
    retry_after_s: float | None = None


@dataclass
class _Gathered:
    """The answer as far as it has arrived."""

    texts: list[str] = field(default_factory=list)
    finish: FinishReason | None = None
    usage: Usage | None = None

    def add(self, text: str, on_text: Callable[[str], None]) -> None:
        """Take a piece of the answer."""
        if text:
            self.texts.append(text)
            on_text(text)


def token_count(value: object) -> int:
    """A number of tokens as a vendor reports it; absent is 0. Raises ValueError for what is no count."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a number of tokens")
    return value


class WireProvider(ABC):
    """A vendor that is spoken to over HTTP. Implements `Provider`; families fill in the abstract methods.

    Families use `http` for their requests, or give it to their SDK.
    """

    content_types: tuple[str, ...] = (EVENT_STREAM,)  # of a streamed answer

    def __init__(self, settings: VendorSettings) -> None:
        self.vendor = settings.vendor
        self.capabilities = settings.definition.capabilities
        self.base_url = (settings.base_url or "").rstrip("/")
        self.http = http_client(settings)
        self._secret = settings.api_key

    @abstractmethod
    async def open(self, request: ModelRequest) -> AsyncIterator[Any]:
        """Send the request and return the stream of events."""

    @abstractmethod
    def pieces(self, events: AsyncIterator[Any]) -> AsyncGenerator[Piece]:
        """Turn events into pieces, at least one per event. May raise ProtocolViolation."""

    @abstractmethod
    def error_details(self, error: Exception) -> ErrorDetails:
        """What the error for an error status, or for an error inside of the stream, carries."""

    @abstractmethod
    async def probe(self) -> httpx2.Response:
        """Ask for something that costs nothing, such as the list of models."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """See `Provider.complete`."""
        exchange = Exchange(request.timeouts)
        token = exchange_of_task.set(exchange)
        try:
            return await self._stream(self._within_rules(request), on_text)
        except Exception as error:  # noqa: BLE001 - whatever an SDK raises becomes one classified failure
            failure = self._failure(error, exchange)
        finally:
            exchange_of_task.reset(token)
            if exchange.response is not None:
                await exchange.response.aclose()
        # Outside of the handler, so that no error of an SDK, which may quote the vendor, is chained to ours.
        raise ProviderError(failure)

    async def reachable(self, timeout_s: float) -> bool:
        """Whether the vendor answers and takes the key, as far as that can be known without a cost.

        Not every server has what is asked for: that it says so is an answer too.
        """
        limits = Timeouts(connect_s=timeout_s, first_byte_s=timeout_s, between_chunks_s=timeout_s)
        exchange = Exchange(limits)
        token = exchange_of_task.set(exchange)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self.probe()
                return response.status_code in _ANSWERS
        except Exception as error:  # noqa: BLE001 - a health check has no other answer than yes and no
            _log.debug("%s: not reachable (%s)", self.vendor, type(error).__name__)
            return False
        finally:
            exchange_of_task.reset(token)
            if exchange.response is not None:
                await exchange.response.aclose()

    def _within_rules(self, request: ModelRequest) -> ModelRequest:
        """The request without what its model refuses."""
        if request.temperature is None and request.top_p is None:
            return request
        if not self.capabilities.takes_temperature(request.model):
            return request.model_copy(update={"temperature": None, "top_p": None})
        if request.temperature is None or request.temperature <= self.capabilities.temperature_max:
            return request
        return request.model_copy(update={"temperature": self.capabilities.temperature_max})

    async def _stream(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        limits = request.timeouts
        gathered = _Gathered()
        answer = AnswerText(thinking_inline=self.capabilities.thinking == "inline", stop=request.stop)
        async with asyncio.timeout(limits.connect_s + limits.first_byte_s):
            events = await self.open(request)
        wait_s = limits.first_byte_s
        async with aclosing(self.pieces(events)) as pieces:
            while True:
                async with asyncio.timeout(wait_s):
                    piece = await anext(pieces, None)
                self._require_content_type()
                if piece is None:
                    break
                gathered.finish = piece.finish or gathered.finish
                gathered.usage = piece.usage or gathered.usage
                if piece.text:
                    gathered.add(answer.take(piece.text), on_text)
                    wait_s = limits.between_chunks_s
        if gathered.finish is None:
            raise ConnectionError("the stream ended before the answer did")
        gathered.add(answer.rest(), on_text)
        return ModelAnswer(text="".join(gathered.texts), usage=gathered.usage, finish=gathered.finish)

    def _require_content_type(self) -> None:
        response = exchange_of_task.get().response
        if response is not None and not response.headers.get("content-type", "").startswith(self.content_types):
            raise ProtocolViolation("the answer is not a stream")

    def _failure(self, error: Exception, exchange: Exchange) -> CallFailure:
        if isinstance(error, NotSentError):
            return error.failure
        response = exchange.response
        if response is not None and response.status_code != httpx2.codes.OK:
            details = self.error_details(error)
            return status_failure(
                self.vendor,
                response.status_code,
                response.headers,
                details.codes,
                special=self.capabilities.error_codes,
                retry_after_s=details.retry_after_s,
                secrets=(self._secret.get_secret_value(),),
            )
        cause = _transport_error(error)
        kind, words = _kind_without_status(error, cause, answered=response is not None)
        codes = self.error_details(error).codes if response is not None else ()
        if codes:
            kind, words = kind_of_event(codes, self.capabilities.error_codes), "an error inside of the stream"
        never_sent = not exchange.sent or isinstance(cause, _NEVER_CONNECTED)
        return CallFailure(
            kind=kind,
            fate=Fate.UNBILLED if never_sent and response is None else Fate.UNCERTAIN,
            message=f"{self.vendor}: {words}",
            status=response.status_code if response is not None else None,
        )


def _transport_error(error: BaseException) -> BaseException:
    """The error below the SDK's own: the first in the chain that comes from the connection, else `error`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, httpx2.TransportError | OSError | TimeoutError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def _kind_without_status(error: Exception, cause: BaseException, *, answered: bool) -> tuple[FailureKind, str]:
    if isinstance(error, ProtocolViolation):
        return FailureKind.SERVER, str(error)
    if isinstance(cause, TimeoutError | httpx2.TimeoutException):
        what = "the stream stalled" if answered else "no answer in time"
        return FailureKind.TIMEOUT, what
    if isinstance(cause, _NEVER_CONNECTED):
        return FailureKind.CONNECTION, "no connection"
    if isinstance(cause, httpx2.TransportError | OSError | ssl.SSLError):
        return FailureKind.CONNECTION, "the stream was cut" if answered else "the connection was lost"
    if answered:
        return FailureKind.SERVER, f"broken stream ({type(error).__name__})"
    return FailureKind.SERVER, f"the request failed ({type(error).__name__})"
