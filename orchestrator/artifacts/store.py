"""The artifact store: content by digest, and a few objects by name."""

import hashlib
import json
import re
from typing import Self
from urllib.parse import quote

from pydantic import JsonValue

from orchestrator.artifacts.backends import Backend, open_backend
from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.sealing import Sealer
from orchestrator.domain.refs import BlobRef, blob_ref
from orchestrator.settings import Settings
from orchestrator.settings.encryption import EncryptionKeys

__all__ = ["ArtifactError", "ArtifactStore", "ArtifactUnavailableError", "open_store", "safe_piece"]

_BLOBS = "blobs"
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
        """Keeps `data`. Content that is there already is not written again, but where it is damaged or was sealed
        with another key than is now: a key can be given up some time after the next one came.
        """
        ref = blob_ref(data)
        name = _blob_name(ref)
        if not await self._create(name, data) and not await self._holds(name, data):
            await self._write(name, data)
        return ref

    async def get(self, ref: BlobRef) -> bytes:
        """The content of `ref`. Raises ArtifactError, naming the digest, where it is missing or altered."""
        data = await self._read(_blob_name(ref))
        if data is None:
            raise ArtifactError(f"artifact {ref.sha256} is missing")
        if blob_ref(data) != ref:
            raise ArtifactError(f"artifact {ref.sha256} was altered")
        return data

    async def put_json(self, value: JsonValue) -> BlobRef:
        """Keeps `value` as JSON; equal values have equal digests."""
        return await self.put(json.dumps(value, ensure_ascii=False, sort_keys=True).encode())

    async def get_json(self, ref: BlobRef) -> JsonValue:
        """The value that put_json kept. Raises ArtifactError, also where the content is not JSON."""
        data = await self.get(ref)
        try:
            value: JsonValue = json.loads(data)
        except ValueError:
            raise ArtifactError(f"artifact {ref.sha256} is not JSON") from None
        return value

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
    return f"{_BLOBS}/{ref.sha256[:2]}/{ref.sha256}"


def _checked(name: str) -> str:
    """`name` if it stays inside the store and outside the blobs. Raises ValueError."""
    pieces = name.split("/")
    if len(name) > _MAX_NAME_CHARS or pieces[0] == _BLOBS or not all(_PIECE.fullmatch(piece) for piece in pieces):
        raise ValueError(f"{name[:80]!r} is not a name of an artifact; build it with safe_piece")
    return name
