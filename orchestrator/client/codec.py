"""What happens to a payload between its converter and Temporal: compressed where large, sealed where there are keys."""

import zlib
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.sealing import Sealer, is_sealed

COMPRESS_FROM_BYTES = 16 * 1024

_ENCODING = "encoding"
_ZLIB = b"binary/zlib"
_SEALED = b"binary/encrypted"
_CONTEXT = "payload"


class OrchCodec(PayloadCodec):
    """Compresses payloads from 16 KiB where that makes them smaller, then seals every payload.

    Reads what it wrote with any of the keys, and plain payloads: a history from before encryption was turned on goes
    on, and a signal without our codec (from the Web UI) is understood.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Same number and order."""
        return [self._sealed(_compressed(payload)) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads that were given to encode. Raises MissingKeyError, and ArtifactError for altered ones."""
        return [_inflated(self._opened(payload)) for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        if not self._sealer.active:
            return payload
        return Payload(metadata={_ENCODING: _SEALED}, data=self._sealer.seal(payload.SerializeToString(), _CONTEXT))

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata.get(_ENCODING) != _SEALED:
            return payload
        if not is_sealed(payload.data):
            raise ArtifactError("a payload is encrypted, but not by us")
        return Payload.FromString(self._sealer.unseal(payload.data, _CONTEXT))


def _compressed(payload: Payload) -> Payload:
    if payload.ByteSize() < COMPRESS_FROM_BYTES:
        return payload
    small = Payload(metadata={_ENCODING: _ZLIB}, data=zlib.compress(payload.SerializeToString()))
    return small if small.ByteSize() < payload.ByteSize() else payload


def _inflated(payload: Payload) -> Payload:
    if payload.metadata.get(_ENCODING) != _ZLIB:
        return payload
    return Payload.FromString(zlib.decompress(payload.data))
