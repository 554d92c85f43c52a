"""The work of `export`: what ended runs produced, written to folders; of a batch, all of its projects."""

import asyncio
import re
from pathlib import Path
from typing import Any

from cli.console import columns, say, show, show_json
from cli.finish import output_folder, present, write_output
from cli.results import is_closed
from cli.session import checked_id, run_async, settings_for
from orchestrator.client.facade import OrchClient
from orchestrator.contracts.batch import BatchProjectView
from orchestrator.domain.errors import OrchError, UserInputError
from orchestrator.settings import Settings

_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:.-]{0,119}")
_NOT_OF_FOLDERS = re.compile(r"[^A-Za-z0-9.-]+")
_AT_ONCE = 4


def export_run(run_id: str, output_dir: str | None, *, json_output: bool, profile: str | None) -> int:
    """Write the output of an ended project, or of all ended projects of a batch; 0 once it is written."""
    settings = settings_for(profile)
    if not _BATCH_ID.fullmatch(run_id):
        checked_id(run_id)
    of_batch = Path(output_dir or f"results/{_NOT_OF_FOLDERS.sub('-', run_id)}").expanduser().absolute()

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.batches.exists(run_id):
            return await _batch(client, settings, run_id, of_batch, json_output=json_output)
        folder = output_folder(settings, checked_id(run_id), output_dir)
        return await _project(client, settings, run_id, folder, json_output=json_output)

    return run_async(command())


async def _project(client: OrchClient, settings: Settings, project_id: str, folder: Path, *, json_output: bool) -> int:
    view = await client.view(project_id)
    if not is_closed(view.status):
        raise UserInputError(f"{project_id} is {view.status.value}; 'orch-cli watch {project_id}' waits for it")
    if view.manifest is None:
        raise UserInputError(f"{project_id} ended as {view.status.value} before it had anything to write")
    written = str(await write_output(client, settings, view, folder))
    present(view, written, json_output=json_output)
    return 0


async def _batch(client: OrchClient, settings: Settings, batch_id: str, folder: Path, *, json_output: bool) -> int:
    """Every project to a folder of its own, called as it is in the batch; those that cannot be written are named.

    Returns 0, or 2 or 1 where one could not be written, as for a single project.
    """
    view = await client.batches.view(batch_id)
    at_once = asyncio.Semaphore(_AT_ONCE)
    codes = [0]

    async def one(project: BatchProjectView) -> Path | None:
        if project.manifest is None:
            return None
        async with at_once:
            try:
                ended = await client.view(project.project_id)
                return await write_output(client, settings, ended, folder / project.key)
            except OrchError as error:
                say(f"error: {project.project_id}: {error}")
                codes.append(2 if isinstance(error, UserInputError) else 1)
                return None

    written = await asyncio.gather(*(one(project) for project in view.projects))
    rows = list(zip(view.projects, written, strict=True))
    if json_output:
        show_json({"batch_id": batch_id, "projects": [_object(*row) for row in rows]})
    else:
        for line in columns([(one.key, one.status, str(to) if to else "-") for one, to in rows], indent=""):
            show(line)
    if not any(written):
        raise UserInputError(f"batch {batch_id} has nothing to write: none of its projects has published anything")
    return max(codes)


def _object(project: BatchProjectView, written: Path | None) -> dict[str, Any]:
    return {
        "key": project.key,
        "project_id": project.project_id,
        "status": project.status,
        "output_dir": str(written) if written else None,
    }
