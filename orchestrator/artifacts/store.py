"""The artifact store: content by digest, and a few objects by name."""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from typing import Protocol, Self
from urllib.parse import quote

from orchestrator.artifacts.backends import Backend, Entry, open_backend
from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.sealing import Sealer
from orchestrator.domain.refs import BlobRef, blob_ref
from orchestrator.settings import Settings
from orchestrator.settings.encryption import EncryptionKeys

__all__ = [
    "ArtifactError",
    "ArtifactStore",
    "ArtifactUnavailableError",
    "Contents",
    "RecentContent",
    "open_store",
    "safe_piece",
]

YOUNG_S = 60.0  # content that was written so lately is not written again
SWEEP_MARK = "sweep/mark"  # exists while content is being removed
SWEEP_LEASE_S = 60.0  # whoever removes has died once it has not written its mark anew for so long

RECENT_BYTES = 4 * 2**20

BLOBS = "blobs"
_LOOK_EVERY_S = 0.2
_MAX_PIECE_CHARS = 120
_MAX_NAME_CHARS = 900
_PIECE = re.compile(r"[A-Za-z0-9_%~-][A-Za-z0-9_%~.-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NO_KEYS = EncryptionKeys()


class ArtifactStore:
    """Content-addressed blobs that are written once, and named objects that are replaced whole.

    Where there are `keys`, every object is sealed for its name; what was written without is read as it is. Every
    method raises ArtifactUnavailableError where the store cannot be used now, MissingKeyError where a key is missing
    that an object is sealed with. Safe for concurrent use by tasks, threads and processes.
    """

    def __init__(self, backend: Backend, keys: EncryptionKeys = _NO_KEYS) -> None:
        self._backend = backend
        self._sealer = Sealer(keys)

    @classmethod
    def open(cls, url: str, keys: EncryptionKeys = _NO_KEYS) -> Self:
        """The store at `url`: `file://` (the folder is made), `s3://`, `gs://`, `az://`, `memory://`.

        Contents are sealed with `keys`. Raises UserInputError for a URL that cannot be used.
        """
        return cls(open_backend(url), keys)

    async def put(self, data: bytes) -> BlobRef:
        """Keeps `data`; afterwards it is young, so that no sweep removes it before its reference is written.

        Young content that is there already is not written again, but where it is damaged or was sealed with another key
        than is now: a key can be given up some time after the next one came.
        """
        ref = blob_ref(data)
        name = _blob_name(ref)
        if await self._create(name, data) or (await self._holds(name, data) and await self._is_young(name)):
            return ref
        await self._write(name, data)
        await self._sweep_over()
        await self._create(name, data)  # a sweep that had found it old may have removed it meanwhile
        return ref

    async def get(self, ref: BlobRef) -> bytes:
        """The content of `ref`. Raises ArtifactError, naming the digest, where it is missing or altered."""
        data = await self._read(_blob_name(ref))
        if data is None:
            raise ArtifactError(f"artifact {ref.sha256} is missing")
        if blob_ref(data) != ref:
            raise ArtifactError(f"artifact {ref.sha256} was altered")
        return data

    async def write_named(self, name: str, data: bytes) -> None:
        """Replaces the object `name` atomically."""
        await self._write(_checked(name), data)

    async def create_named(self, name: str, data: bytes) -> bool:
        """Writes the object, or gives False where it exists. Of concurrent callers exactly one gets True."""
        return await self._create(_checked(name), data)

    async def read_named(self, name: str) -> bytes | None:
        """The object's content, None where it does not exist."""
        return await self._read(_checked(name))

    async def list_named(self, prefix: str) -> list[str]:
        """Sorted names of all objects below the folder `prefix`."""
        return sorted(await self._backend.names(_checked(prefix.rstrip("/"))))

    async def delete_named(self, name: str) -> None:
        """Removes the object; nothing happens where it does not exist."""
        await self._backend.delete(_checked(name))

    async def entries(self) -> list[Entry]:
        """All objects, blobs included: their names, stored sizes and times."""
        return await self._backend.entries()

    async def modified_s(self, name: str) -> float | None:
        """When the object or blob of an entry was written last, None where it does not exist."""
        return await self._backend.modified_s(name)

    async def content(self, digest: str) -> bytes | None:
        """What the blob holds, whether or not that is what its digest says; None where it does not exist.

        Raises ArtifactError where its seal is broken.
        """
        return await self._read(_blob_name(BlobRef(sha256=digest, size=0)))

    async def delete_blob(self, digest: str) -> None:
        """Removes content that nothing refers to (docs/decisions/0013)."""
        await self._backend.delete(_blob_name(BlobRef(sha256=digest, size=0)))

    async def _is_young(self, name: str) -> bool:
        modified_s = await self._backend.modified_s(name)
        return modified_s is not None and abs(time.time() - modified_s) < YOUNG_S

    async def _sweep_over(self) -> None:
        """Waits until no sweep is going on: one that died stops renewing its mark."""
        seen, unchanged_s = None, 0.0
        while (mark := await self._backend.modified_s(SWEEP_MARK)) is not None and unchanged_s < SWEEP_LEASE_S:
            seen, unchanged_s = mark, unchanged_s + _LOOK_EVERY_S if mark == seen else 0.0
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _read(self, name: str) -> bytes | None:
        found = await self._backend.read(name)
        return None if found is None else self._sealer.unseal(found, _context(name))

    async def _write(self, name: str, data: bytes) -> None:
        await self._backend.write(name, self._sealer.seal(data, _context(name)))

    async def _create(self, name: str, data: bytes) -> bool:
        return await self._backend.create(name, self._sealer.seal(data, _context(name)))

    async def _holds(self, name: str, data: bytes) -> bool:
        """Whether the object is what `_write` would leave."""
        found = await self._backend.read(name)
        try:
            return (
                found is not None
                and self._sealer.is_current(found)
                and self._sealer.unseal(found, _context(name)) == data
            )
        except ArtifactError:
            return False


class Contents(Protocol):
    """What gives content by reference."""

    async def get(self, ref: BlobRef) -> bytes:
        """The content. Raises ArtifactError where it is missing or altered, ArtifactUnavailableError."""
        ...


class RecentContent:
    """Content of the store, of which the last few megabytes stay in memory: prompts repeat what others were made of.

    What is remembered is given even after the store has lost it. Whoever must notice that asks the store itself.
    """

    def __init__(self, store: Contents, limit_bytes: int = RECENT_BYTES) -> None:
        self._store = store
        self._free_bytes = limit_bytes
        self._recent: OrderedDict[BlobRef, bytes] = OrderedDict()

    async def get(self, ref: BlobRef) -> bytes:
        """The content of `ref`, as the store gives it."""
        data = self._recent.pop(ref, None)
        if data is None:
            data = await self._store.get(ref)
            if ref not in self._recent:  # else another caller has read it, too, meanwhile
                self._free_bytes -= len(data)
        self._recent[ref] = data
        while self._free_bytes < 0:
            self._free_bytes += len(self._recent.popitem(last=False)[1])
        return data


def open_store(settings: Settings) -> ArtifactStore:
    """The configured store, sealed with the configured keys. The only way to open it outside of tests."""
    return ArtifactStore.open(settings.store_url, settings.encryption)


def safe_piece(text: str) -> str:
    """`text` as one segment of a name: different texts give different segments, none of them special."""
    quoted = quote(text, safe="")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if len(quoted) > _MAX_PIECE_CHARS:
        return f"{quoted[:60]}%~{hashlib.sha256(text.encode()).hexdigest()[:40]}"
    return quoted or "%"


def _context(name: str) -> str:
    """What the seal of an object is bound to: its name."""
    return f"artifact {name}"


def _blob_name(ref: BlobRef) -> str:
    if not _DIGEST.fullmatch(ref.sha256):
        raise ArtifactError(f"{ref.sha256[:80]!r} is not a digest")
    return f"{BLOBS}/{ref.sha256[:2]}/{ref.sha256}"


def _checked(name: str) -> str:
    """`name` if it stays inside the store and outside the blobs. Raises ValueError."""
    pieces = name.split("/")
    if len(name) > _MAX_NAME_CHARS or pieces[0] == BLOBS or not all(_PIECE.fullmatch(piece) for piece in pieces):
        raise ValueError(f"{name[:80]!r} is not a name of an artifact; build it with safe_piece")
    return name
