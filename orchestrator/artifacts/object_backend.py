"""Objects in a bucket, or in memory, by obstore."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from orchestrator.artifacts.backends import Backend, Entry
from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.domain.errors import UserInputError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_REMOTE_CALLS = 16  # at the same time
_RETRY_S = 30  # within one call; whoever calls tries again later
_Result = TypeVar("_Result")


class ObjectBackend:
    """A bucket, or memory.

    Calls run in threads: after asynchronous ones obstore may abort the interpreter when it exits, which spoils the
    exit code of a command (seen in 5 of 15 runs; never after calls in threads).
    """

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(_REMOTE_CALLS, thread_name_prefix="artifacts")

    async def read(self, name: str) -> bytes | None:
        """The content, None where there is no such object."""
        return await self._in_thread(self._read, name)

    async def write(self, name: str, data: bytes) -> None:
        """Replaces the object."""
        await self._in_thread(self._store.put, name, data)

    async def create(self, name: str, data: bytes) -> bool:
        """A conditional put."""
        return await self._in_thread(self._create, name, data)

    async def names(self, folder: str) -> list[str]:
        """All objects below `folder`."""
        return await self._in_thread(self._names, folder)

    async def entries(self) -> list[Entry]:
        """All objects."""
        return await self._in_thread(self._entries)

    async def modified_s(self, name: str) -> float | None:
        """The time of the last put."""
        return await self._in_thread(self._modified_s, name)

    async def delete(self, name: str) -> None:
        """Deletes the object."""
        await self._in_thread(self._delete, name)

    def _entries(self) -> list[Entry]:
        found = self._store.list().collect()
        return [Entry(meta["path"], meta["size"], meta["last_modified"].timestamp()) for meta in found]

    def _modified_s(self, name: str) -> float | None:
        try:
            return self._store.head(name)["last_modified"].timestamp()
        except FileNotFoundError:
            return None

    def _delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete(name)

    def _read(self, name: str) -> bytes | None:
        try:
            return bytes(self._store.get(name).bytes())
        except FileNotFoundError:
            return None

    def _create(self, name: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        try:
            self._store.put(name, data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def _names(self, folder: str) -> list[str]:
        return [meta["path"] for meta in self._store.list(folder).collect()]

    async def _in_thread(self, call: Callable[..., _Result], *arguments: str | bytes) -> _Result:
        from obstore.exceptions import BaseError

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        except (BaseError, OSError) as error:
            raise ArtifactUnavailableError(f"artifact store: {_first_line(error)}") from error


def open_objects(url: str) -> Backend:
    """The backend for `url`: `memory://` or a bucket. Raises UserInputError."""
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore, from_url

    if url.startswith("memory:"):
        return ObjectBackend(MemoryStore())

    try:
        return ObjectBackend(from_url(url, retry_config={"retry_timeout": timedelta(seconds=_RETRY_S)}))
    except (BaseError, ValueError) as error:
        parts = urlsplit(url)  # shown without user, password and query
        raise UserInputError(f"artifact store {parts.scheme}://{parts.hostname}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
