"""One contained process tree: started, fed, watched, and ended as a whole."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.validators.box_init import HEADER

_CHUNK_BYTES = 65536
_GONE_TIMEOUT_S = 10.0


class OutputCapture:
    """Reads stdout and stderr as they come, keeps at most `limit` bytes of both together.

    `on_overflow` is called once more was written; the rest is then thrown away.
    """

    def __init__(self, limit: int, on_overflow: Callable[[], None]) -> None:
        self._limit = limit
        self._on_overflow = on_overflow
        self._loop = asyncio.get_running_loop()
        self._kept: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._size = 0
        self._read_ends: dict[int, asyncio.Event] = {}
        self.write_ends: list[int] = []
        for index in range(2):
            read_end, write_end = os.pipe()
            os.set_blocking(read_end, False)
            self.write_ends.append(write_end)
            self._read_ends[read_end] = asyncio.Event()
            self._loop.add_reader(read_end, self._take, read_end, self._kept[index])

    def _take(self, fd: int, kept: bytearray) -> None:
        try:
            data = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(fd)
            self._read_ends[fd].set()
            return
        room = max(0, self._limit - self._size)
        kept += data[:room]
        self._size += min(room, len(data))
        if len(data) > room:
            self._on_overflow()

    def close_write_ends(self) -> None:
        """The child has them now."""
        while self.write_ends:
            os.close(self.write_ends.pop())

    async def drain(self, timeout_s: float) -> None:
        """Wait until all writers are gone, at most `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for ended in self._read_ends.values():
                    await ended.wait()

    def close(self) -> None:
        """Stop reading."""
        self.close_write_ends()
        for fd in self._read_ends:
            self._loop.remove_reader(fd)
            os.close(fd)
        self._read_ends.clear()

    def texts(self) -> tuple[str, str]:
        """stdout and stderr as far as they were kept."""
        return self._kept[0].decode(errors="replace"), self._kept[1].decode(errors="replace")


async def receive_folders(control: socket.socket, count: int) -> list[int]:
    """The descriptors that `box_init` sends once it runs, for the caller to close; empty where it ended."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[list[int]] = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(control)
        try:
            _, fds, _, _ = socket.recv_fds(control, 1, count)
        except OSError:
            fds = []
        if arrived.done():
            for fd in fds:
                os.close(fd)
        else:
            arrived.set_result(list(fds))

    loop.add_reader(control, on_readable)
    try:
        return await arrived
    finally:
        loop.remove_reader(control)


async def send_files(control: socket.socket, files: Mapping[str, bytes]) -> int:
    """Hand the files to `box_init`. Returns 0, or the number of the error that stopped the writing."""
    loop = asyncio.get_running_loop()
    with suppress(BrokenPipeError, ConnectionResetError):  # its answer tells why it stopped reading
        for path, content in files.items():
            name = path.encode()
            await loop.sock_sendall(control, HEADER.pack(len(name), len(content)) + name)
            await loop.sock_sendall(control, content)
        await loop.sock_sendall(control, HEADER.pack(0, 0))
    try:
        answer = await loop.sock_recv(control, 64)
    except ConnectionResetError:
        answer = b""
    if answer.startswith(b"K"):
        return 0
    if answer.startswith(b"E"):
        return int(answer[1:])
    raise PrerequisiteError("the sandbox ended while it received its files")


class Tree:
    """The started tree: `leader` is our child; the init, where there is one, takes all others with it."""

    def __init__(self, leader: asyncio.subprocess.Process) -> None:
        self.leader = leader
        self.closed = False
        self._init_fd: int | None = None

    def adopt(self, init_pid: int | None) -> None:
        """Remember the init; only while the tree is surely alive or its leader not yet reaped."""
        if init_pid is not None and self._init_fd is None and self.leader.returncode is None:
            with suppress(ProcessLookupError):
                self._init_fd = os.pidfd_open(init_pid)

    def kill(self) -> None:
        """SIGKILL to the whole tree, at once."""
        if self._init_fd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        if self.leader.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader.pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Wait until nothing of the tree is left; call `kill` first."""
        async with asyncio.timeout(_GONE_TIMEOUT_S):
            if self._init_fd is not None:
                await _readable(self._init_fd)
            await self.leader.wait()

    def close(self) -> None:
        """Forget the tree."""
        self.closed = True
        if self._init_fd is not None:
            os.close(self._init_fd)
            self._init_fd = None


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(fd, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(fd)
