"""One Temporal plugin for client, worker and replayer: form of payloads, how workflows run."""

from collections.abc import Iterable, Sequence

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    ExternalStorage,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner

from orchestrator.artifacts.sealing import Sealer
from orchestrator.artifacts.store import ArtifactStore, open_store
from orchestrator.client.codec import OrchCodec
from orchestrator.domain.errors import OrchError
from orchestrator.domain.refs import BlobRef
from orchestrator.settings import Settings

STORE_FROM_BYTES = 128 * 1024


class OrchPlugin(SimplePlugin):
    """Given to the client; workers made from that client have it too. A replayer gets it by itself.

    Payloads are Pydantic JSON, compressed from 16 KiB, sealed where there are keys, and kept in the artifact store
    where they are still 128 KiB then. Domain errors fail the workflow instead of being retried for ever. Workflows
    run without the SDK's sandbox, which tests use instead (docs/decisions/0007).
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "orch",
            data_converter=data_converter(settings),
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_failure_exception_types=[OrchError],
        )


def data_converter(settings: Settings) -> DataConverter:
    """How values become payloads and back. Where payloads are sealed, so are messages and traces of failures."""
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        failure_converter_class=(
            DefaultFailureConverterWithEncodedAttributes if settings.encryption else DefaultFailureConverter
        ),
        payload_codec=OrchCodec(Sealer(settings.encryption)),
        external_storage=ExternalStorage(drivers=[ArtifactDriver(settings)], payload_size_threshold=STORE_FROM_BYTES),
    )


class ArtifactDriver(StorageDriver):
    """Keeps large payloads in the artifact store, by digest."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
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
            self._opened = open_store(self._settings)
        return self._opened


def _refs(claims: Iterable[StorageDriverClaim]) -> list[BlobRef]:
    return [BlobRef(sha256=claim.claim_data["sha256"], size=int(claim.claim_data["size"])) for claim in claims]
