"""Export by a worker: into a folder that its environment allows, named by a date, beside what lies there already."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator.artifacts.export import check_target, export_manifest
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.delivery import Delivery, ExportInput
from orchestrator.domain.delivery import dated
from orchestrator.domain.errors import UserInputError
from orchestrator.settings.delivery import OUTPUT_ROOT

_MOST_OF_A_NAME = 10_000  # of a schedule that fires more often than its pattern changes


async def export_dated(store: ArtifactStore, request: ExportInput, root: str, granted: tuple[str, ...]) -> Path:
    """Writes the files as `export` does and returns the folder.

    The folder must lie below `root`, or its pattern be one of `granted`. A folder that holds something else is left
    as it is: the next of `NAME-2`, `NAME-3`, ... is taken. Doing it again finds the same folder. Raises UserInputError
    where writing there is not allowed, else as export_manifest does.
    """
    folder = await asyncio.to_thread(_allowed, request.delivery, root, granted)
    target = await asyncio.to_thread(_free, folder, request.project_id)
    return await export_manifest(store, request.manifest, target, request.project_id)


def _allowed(delivery: Delivery, root: str, granted: tuple[str, ...]) -> Path:
    at = datetime.now(UTC) if delivery.at_s is None else datetime.fromtimestamp(delivery.at_s, UTC)
    folder = Path(dated(delivery.output_dir, at.astimezone(ZoneInfo(delivery.timezone)))) / delivery.folder
    if delivery.output_dir in granted and folder.is_absolute():
        return folder
    if not root:
        raise UserInputError(f"this worker writes to no folder: set {OUTPUT_ROOT} in its environment")
    inside, wanted = Path(root).resolve(), (Path(root) / folder).resolve()
    if wanted == inside or not wanted.is_relative_to(inside):
        raise UserInputError(f"this worker writes below {OUTPUT_ROOT} only, and {folder} is not")
    return wanted


def _free(folder: Path, project_id: str) -> Path:
    """The first of the folder's names that an export of this project may have."""
    refusal: UserInputError | None = None
    for number in range(1, _MOST_OF_A_NAME + 1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            check_target(candidate, project_id)
        except UserInputError as error:
            refusal = refusal or error
        else:
            return candidate
    assert refusal is not None
    raise refusal
