"""Sizes of recorded histories: what a test or a benchmark holds a run to."""

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent


def history_bytes(events: Iterable[HistoryEvent]) -> int:
    """Bytes of the events as the server keeps them."""
    return sum(event.ByteSize() for event in events)


def largest_payload_bytes(events: Iterable[HistoryEvent]) -> int:
    """The largest payload that an event holds itself; one in external storage counts as its claim."""
    return max((payload.ByteSize() for event in events for payload in _payloads(event)), default=0)


def _payloads(message: Message) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
        return
    for _, value in message.ListFields():
        if isinstance(value, Message):
            yield from _payloads(value)
        elif isinstance(value, Mapping):
            children = value.values()
            yield from (found for child in children if isinstance(child, Message) for found in _payloads(child))
        elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
            yield from (found for child in value if isinstance(child, Message) for found in _payloads(child))
