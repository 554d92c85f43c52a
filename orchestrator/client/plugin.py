"""One Temporal plugin for client, worker and replayer: form of payloads, how workflows run."""

import zlib
from collections.abc import Iterable, Sequence

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    ExternalStorage,
    PayloadCodec,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.errors import OrchError
from orchestrator.domain.refs import BlobRef

COMPRESS_FROM_BYTES = 16 * 1024
STORE_FROM_BYTES = 128 * 1024

_ENCODING = "encoding"
_ZLIB = b"binary/zlib"


class OrchPlugin(SimplePlugin):
    """Given to the client; workers made from that client have it too. A replayer gets it by itself.

    Payloads are Pydantic JSON, compressed from 16 KiB, and kept in the artifact store at `store_url` where
    they are still 128 KiB then. Domain errors fail the workflow instead of being retried for ever. Workflows
    run without the SDK's sandbox, which tests use instead (docs/decisions/0007).
    """

    def __init__(self, store_url: str) -> None:
        super().__init__(
            "orch",
            data_converter=DataConverter(
                payload_converter_class=PydanticPayloadConverter,
                payload_codec=CompressionCodec(),
                external_storage=ExternalStorage(
                    drivers=[ArtifactDriver(store_url)], payload_size_threshold=STORE_FROM_BYTES
                ),
            ),
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_failure_exception_types=[OrchError],
        )


class CompressionCodec(PayloadCodec):
    """Compresses payloads from 16 KiB where that makes them smaller; reads compressed and plain ones."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Same number and order; small and incompressible payloads stay as they are."""
        return [self._compressed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads that were given to encode."""
        return [
            Payload.FromString(zlib.decompress(payload.data)) if payload.metadata.get(_ENCODING) == _ZLIB else payload
            for payload in payloads
        ]

    def _compressed(self, payload: Payload) -> Payload:
        if payload.ByteSize() < COMPRESS_FROM_BYTES:
            return payload
        small = Payload(metadata={_ENCODING: _ZLIB}, data=zlib.compress(payload.SerializeToString()))
        return small if small.ByteSize() < payload.ByteSize() else payload


class ArtifactDriver(StorageDriver):
    """Keeps large payloads in the artifact store, by digest."""

    def __init__(self, store_url: str) -> None:
        self._store_url = store_url
        self._opened: ArtifactStore | None = None

    def name(self) -> str:
        """Stands in histories: never change it."""
        return "orch.artifacts"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Writes the payloads; a claim is digest and size. Raises ArtifactUnavailableError."""
        refs = [await self._store.put(payload.SerializeToString()) for payload in payloads]
        return [StorageDriverClaim({"sha256": ref.sha256, "size": str(ref.size)}) for ref in refs]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """The payloads behind the claims. Raises ArtifactError where one is missing or altered."""
        return [Payload.FromString(await self._store.get(ref)) for ref in _refs(claims)]

    @property
    def _store(self) -> ArtifactStore:
        """Opened on first use, so that a command that only looks makes no folder."""
        if self._opened is None:
            self._opened = ArtifactStore.open(self._store_url)
        return self._opened


def _refs(claims: Iterable[StorageDriverClaim]) -> list[BlobRef]:
    return [BlobRef(sha256=claim.claim_data["sha256"], size=int(claim.claim_data["size"])) for claim in claims]
