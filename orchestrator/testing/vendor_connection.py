"""HTTP/1.1 for the fake vendor server: one connection, kept alive, one request at a time."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

MAX_HEADER_BYTES = 64 * 1024


class Incoming(NamedTuple):
    """A request as it was read. Header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Incoming, "Connection"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """Reads requests, hands them to `handler`, offers what it needs to answer well or badly.

    The handler's task is cancelled when the client goes away.
    """

    def __init__(self, handler: Handler, connections: set["Connection"]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self.lost = False
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.lost = True
        self.gone.set()
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._buffer += data
        self._start_next()

    def respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole response."""
        self.write(_head(status, {**headers, "content-length": str(len(body))}) + body)

    def start_stream(self, content_type: str) -> None:
        """Send the head of a stream."""
        self.write(_head(HTTPStatus.OK, {"content-type": content_type, "transfer-encoding": "chunked"}))

    def send_chunk(self, data: bytes) -> None:
        """Send one piece of a stream."""
        if data:
            self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end_stream(self) -> None:
        """End a stream as the protocol wants it."""
        self.write(b"0\r\n\r\n")

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def close(self) -> None:
        """Close after what was written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection with a reset."""
        if self._transport is None:
            return
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _start_next(self) -> None:
        if self._task is None and (incoming := self._parse()) is not None:
            self._task = asyncio.create_task(self._serve(incoming))

    async def _serve(self, incoming: Incoming) -> None:
        try:
            await self._handler(incoming, self)
        finally:
            self._task = None
        if not self.lost:
            self._start_next()

    def _parse(self) -> Incoming | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                self.reset()
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        total = end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < total:
            return None
        method, path, _ = first.split(" ", 2)
        body = bytes(self._buffer[end + 4 : total])
        del self._buffer[:total]
        return Incoming(method, path, headers, body)


def _head(status: int, headers: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    named = {name.lower(): value for name, value in headers.items()}
    named.setdefault("date", formatdate(usegmt=True))
    named.setdefault("content-type", "application/json")
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in named.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
