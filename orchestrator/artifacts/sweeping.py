"""What may be removed from the store: content that nothing refers to any more. See docs/decisions/0013."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from orchestrator.artifacts.backends import Entry
from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.store import BLOBS, SWEEP_LEASE_S, SWEEP_MARK, ArtifactStore
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError

_CLOCK = "sweep/clock"
_DIGEST = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])")
_SMALLEST = 64  # bytes of content that can name another one
_AT_A_TIME = 32


class Swept(Frozen):
    """What was removed, in numbers of blobs and bytes as they lay in the store."""

    blobs: int = 0
    bytes: int = 0

    def plus(self, size: int) -> "Swept":
        """One more blob."""
        return Swept(blobs=self.blobs + 1, bytes=self.bytes + size)


def digests(data: bytes) -> set[str]:
    """Every digest that stands in `data`, whatever its form: JSON, lines of JSON, JSON within a text.

    More than the references, never less: a digest in a text of a model keeps content that could go.
    """
    return {found.decode() for found in _DIGEST.findall(data)}


def blobs_among(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The blobs of a store by digest."""
    return {entry.name.rpartition("/")[2]: entry for entry in entries if entry.name.startswith(f"{BLOBS}/")}


def named_among(entries: Iterable[Entry]) -> list[Entry]:
    """All other objects."""
    return [entry for entry in entries if not entry.name.startswith((f"{BLOBS}/", "sweep/"))]


async def digests_in(store: ArtifactStore, names: Sequence[str]) -> set[str]:
    """Digests that stand in these named objects. One that is gone meanwhile, or was altered, has none."""
    found: set[str] = set()
    for some in _portions(names):
        for data in await asyncio.gather(*(_named(store, name) for name in some)):
            found |= digests(data)
    return found


async def reachable(store: ArtifactStore, roots: Collection[str], blobs: dict[str, Entry]) -> set[str]:
    """Digests of all `blobs` that `roots` name, those that these name, and so on. Reads each of them once."""
    marked: set[str] = set()
    new = set(roots) & blobs.keys()
    while new:
        marked |= new
        readable = [digest for digest in new if blobs[digest].size >= _SMALLEST]
        named: set[str] = set()
        for some in _portions(readable):
            for data in await asyncio.gather(*(_content(store, digest) for digest in some)):
                named |= digests(data)
        new = (named & blobs.keys()) - marked
    return marked


async def clock_s(store: ArtifactStore) -> float:
    """The time by the store's own clock, in seconds since the epoch."""
    await store.write_named(_CLOCK, b"")
    return await store.modified_s(_CLOCK) or time.time()


async def sweep(store: ArtifactStore, doomed: Sequence[Entry], before_s: float) -> Swept:
    """Removes those of the `doomed` blobs that are still older than `before_s`, by the store's clock.

    Raises PrerequisiteError while another sweep is going on.
    """
    swept = Swept()
    if not doomed:
        return swept
    async with _marked(store) as mark:
        for entry in doomed:
            await mark.renew()
            modified_s = await store.modified_s(entry.name)
            if modified_s is None or modified_s >= before_s:
                continue
            if not mark.holds():  # this process was stopped after it looked
                await mark.renew()
                continue
            await store.delete_blob(entry.name.rpartition("/")[2])
            swept = swept.plus(entry.size)
    return swept


class _Mark:
    """Tells every put that content may vanish; renewed, since one that nobody renews is not heeded."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._owner = uuid.uuid4().hex.encode()
        self._written_s = 0.0

    async def take(self) -> None:
        """Raises PrerequisiteError where another one is alive."""
        if not await self._store.create_named(SWEEP_MARK, self._owner):
            written_s = await self._store.modified_s(SWEEP_MARK)
            if written_s is not None and await clock_s(self._store) - written_s < SWEEP_LEASE_S:
                raise PrerequisiteError("unused artifacts are being removed by another process; try again in a minute")
            await self._store.write_named(SWEEP_MARK, self._owner)
        self._written_s = time.time()

    async def renew(self) -> None:
        """Raises PrerequisiteError where another process took over, since this one was stopped for long."""
        if self.holds():
            return
        if await self._store.read_named(SWEEP_MARK) != self._owner:
            raise PrerequisiteError("this process stood still for too long: another one removes unused artifacts now")
        await self._store.write_named(SWEEP_MARK, self._owner)
        self._written_s = time.time()

    def holds(self) -> bool:
        """Whether the mark was written lately enough to remove something now."""
        return abs(time.time() - self._written_s) < SWEEP_LEASE_S / 4

    async def drop(self) -> None:
        """Nothing vanishes any more."""
        if await self._store.read_named(SWEEP_MARK) == self._owner:
            await self._store.delete_named(SWEEP_MARK)


@asynccontextmanager
async def _marked(store: ArtifactStore) -> AsyncIterator[_Mark]:
    mark = _Mark(store)
    await mark.take()
    try:
        yield mark
    finally:
        await mark.drop()


async def _named(store: ArtifactStore, name: str) -> bytes:
    try:
        return await store.read_named(name) or b""
    except ArtifactError:
        return b""


async def _content(store: ArtifactStore, digest: str) -> bytes:
    try:
        return await store.content(digest) or b""
    except ArtifactError:
        return b""


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _AT_A_TIME):
        yield names[start : start + _AT_A_TIME]
