"""Sends one scripted answer of the fake vendor server, with its fault."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason
from orchestrator.testing.vendor_connection import Connection
from orchestrator.testing.vendor_dialects import DIALECTS
from orchestrator.testing.vendor_events import StreamFormat, error_body
from orchestrator.testing.vendor_formats import AnthropicFormat, GoogleFormat, OpenAIFormat
from orchestrator.testing.vendor_native_formats import GigaChatFormat, OllamaFormat, YandexFormat
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_script import BYTES_PER_TOKEN, Fault, Reply, VendorRequest, tokens
from orchestrator.testing.vendor_wire import Route

_FORMATS: dict[str, type[StreamFormat]] = {
    "openai_compatible": OpenAIFormat,
    "anthropic": AnthropicFormat,
    "google": GoogleFormat,
    "gigachat": GigaChatFormat,
    "yandex": YandexFormat,
    "ollama": OllamaFormat,
}

_HTML = b"<html><body><h1>It works!</h1></body></html>"
_BROKEN_STREAMS = (
    Fault.CUT,
    Fault.RESET_IN_STREAM,
    Fault.STALL,
    Fault.UNFINISHED,
    Fault.MALFORMED,
    Fault.INVALID_UTF8,
    Fault.ERROR_EVENT,
)


async def send_answer(
    connection: Connection,
    where: Route,
    reply: Reply,
    record: RequestRecord,
    on_progress: Callable[[], None],
) -> None:
    """Answer as `reply` says. `record` takes what was sent and its usage; `on_progress` follows each piece.

    Faults inside of a stream need a request for a stream; other requests are answered as without the fault.
    """
    if reply.latency_ms:
        await asyncio.sleep(reply.latency_ms / 1000)
    if reply.fault is Fault.RESET:
        connection.reset()
    elif reply.fault is Fault.HANG:
        await asyncio.Event().wait()
    elif reply.status != HTTPStatus.OK:
        record.status = reply.status
        connection.respond(reply.status, reply.headers, error_body(where, reply))
    elif reply.fault is Fault.HTML:
        record.status = reply.status
        connection.respond(reply.status, {"content-type": "text/html"}, _HTML)
    else:
        await _send_text(connection, where, _limited(reply, record.request), record, on_progress)


async def _send_text(
    connection: Connection,
    where: Route,
    reply: Reply,
    record: RequestRecord,
    on_progress: Callable[[], None],
) -> None:
    usage = reply.usage or _usage(record.request, reply.text, reply.hidden)
    kind = DIALECTS.get(where.vendor) or _FORMATS[where.family]
    form = kind(record.request, reply, usage)
    record.status = HTTPStatus.OK.value
    if record.request.stream:
        connection.start_stream(form.content_type)
        await _stream(connection, form, record, on_progress)
    else:
        record.sent = reply.text
        _complete(record, connection, usage)
        connection.respond(HTTPStatus.OK, reply.headers, form.body())


async def _stream(
    connection: Connection, form: StreamFormat, record: RequestRecord, on_progress: Callable[[], None]
) -> None:
    reply = form.reply
    if reply.fault is Fault.EMPTY_CHOICES:
        connection.send_chunk(form.empty())
        connection.end_stream()
        return
    record.usage = _usage(record.request, "")
    broken = reply.fault in _BROKEN_STREAMS
    pieces = [] if reply.fault is Fault.NULL_CONTENT else reply.pieces()
    connection.send_chunk(form.start())
    if reply.hidden:
        connection.send_chunk(form.thought(reply.hidden))
    for number, piece in enumerate(pieces[: reply.fault_after] if broken else pieces):
        if number and reply.chunk_delay_ms:
            await asyncio.sleep(reply.chunk_delay_ms / 1000)
        record.sent += piece
        record.usage = _usage(record.request, record.sent)
        connection.send_chunk(form.text(piece))
        if len(pieces) > 1:
            on_progress()
    if broken:
        await _break(connection, form)
    else:
        _complete(record, connection, form.usage)
        connection.send_chunk(form.end())
        if reply.fault is Fault.LINGER:
            await asyncio.Event().wait()
        connection.end_stream()


def _complete(record: RequestRecord, connection: Connection, usage: Usage) -> None:
    """Note the end before it is sent: who has the answer finds it in the record.

    The vendor bills all of a complete answer, and what was sent of a broken one.
    """
    record.complete = not connection.lost
    if record.complete:
        record.usage = usage


async def _break(connection: Connection, form: StreamFormat) -> None:
    fault = form.reply.fault
    if fault is Fault.CUT:
        connection.close()
    elif fault is Fault.RESET_IN_STREAM:
        await asyncio.sleep(0)  # what was written leaves before the reset
        connection.reset()
    elif fault is Fault.STALL:
        await asyncio.Event().wait()
    else:
        last = {
            Fault.UNFINISHED: form.unfinished,
            Fault.MALFORMED: form.malformed,
            Fault.INVALID_UTF8: form.invalid_utf8,
            Fault.ERROR_EVENT: form.error,
        }[fault]()
        connection.send_chunk(last)
        connection.end_stream()


def _limited(reply: Reply, request: VendorRequest) -> Reply:
    """The reply cut at the request's limit of output tokens, as a vendor does, unless usage is scripted."""
    if request.max_tokens is None or reply.usage is not None:
        return reply
    most_bytes = max(request.max_tokens * BYTES_PER_TOKEN - 1, 0)
    encoded = reply.text.encode()
    if len(encoded) <= most_bytes:
        return reply
    cut = encoded[:most_bytes].decode(errors="ignore")
    return reply.model_copy(update={"text": cut, "finish": FinishReason.LENGTH})


def _usage(request: VendorRequest, text: str, hidden: str = "") -> Usage:
    asked = request.system + request.prompt
    thought = tokens(hidden) if hidden else 0
    return Usage(input_tokens=tokens(asked), output_tokens=tokens(text) + thought)
