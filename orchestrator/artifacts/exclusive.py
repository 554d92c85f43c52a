"""Whether a store keeps two writers apart: what the call journal, and with it every promise about money, rests on."""

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.errors import PrerequisiteError

_PROBE = "probe/exclusive"


async def require_exclusive(store: ArtifactStore) -> None:
    """Returns where an object that exists cannot be created again.

    Amazon S3, Google's and Azure's stores promise that; some that imitate S3 ignore the condition (If-None-Match: *)
    and would have two workers pay for one call. Raises PrerequisiteError, ArtifactUnavailableError.
    """
    await store.create_named(_PROBE, b"")
    if await store.create_named(_PROBE, b""):
        raise PrerequisiteError(
            "the artifact store overwrites objects that were to be created only (it ignores If-None-Match): "
            "with it, two workers could pay for one call"
        )
