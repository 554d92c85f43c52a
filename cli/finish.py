"""The end of a run: its output written, its result shown, its exit code."""

import asyncio
from pathlib import Path

from cli.console import say, show, show_json
from cli.results import exit_code, result_block, result_object
from orchestrator.client.facade import OrchClient
from orchestrator.client.run_records import RunRecord, load_record, save_record
from orchestrator.contracts.project import ProjectView
from orchestrator.domain.errors import OrchError, UserInputError
from orchestrator.settings import Settings


def come_back(project_id: str) -> str:
    """How to return to a run that nobody waits for."""
    return (
        f"Come back with 'orch-cli watch {project_id}', "
        f"or fetch the output of a finished run with 'orch-cli export {project_id}'."
    )


def present(view: ProjectView, output_dir: str | None, *, json_output: bool) -> None:
    """The state of a run on stdout."""
    if json_output:
        show_json(result_object(view, output_dir))
    else:
        show(result_block(view, output_dir))


async def finish(client: OrchClient, settings: Settings, view: ProjectView, folder: Path, *, json_output: bool) -> int:
    """Write the output of an ended run to `folder`, unless this machine did already, and show the result.

    Returns the exit code of its status; where there was output that could not be written, says so and returns
    2 for a folder that cannot be used, 1 for anything else.
    """
    written: Path | None = None
    code = exit_code(view.status)
    try:
        if view.manifest is None:
            say("The run ended before it had anything to write.")
        else:
            written = (
                folder if _lies_there(settings, view, folder) else await write_output(client, settings, view, folder)
            )
    except asyncio.CancelledError:
        say(f"\nThe run has ended; its output is not written: 'orch-cli export {view.project_id}' does it.")
        raise
    except OrchError as error:
        say(f"error: the output is not written: {error}")
        say(f"Write it elsewhere with 'orch-cli export {view.project_id} --output-dir FOLDER'.")
        code = 2 if isinstance(error, UserInputError) else 1
    present(view, str(written) if written else None, json_output=json_output)
    return code


def _lies_there(settings: Settings, view: ProjectView, folder: Path) -> bool:
    """Whether this very result was written to `folder` before: what the user did to it since stays."""
    record = load_record(settings.home, view.project_id)
    exported = record.exported if record and record.output_dir == str(folder) else ""
    return view.manifest is not None and exported == view.manifest.sha256 and folder.is_dir()


async def write_output(client: OrchClient, settings: Settings, view: ProjectView, folder: Path) -> Path:
    """Export a run that has a manifest to `folder`, and remember it. Raises OrchError."""
    written = await client.export(view, folder)
    digest = view.manifest.sha256 if view.manifest else ""
    save_record(settings.home, RunRecord(project_id=view.project_id, output_dir=str(folder), exported=digest))
    return written


def known_folder(settings: Settings, project_id: str) -> str | None:
    """Where the output of a run goes, as given on this machine; None where it was started elsewhere."""
    record = load_record(settings.home, project_id)
    return record.output_dir if record else None


def output_folder(settings: Settings, project_id: str, chosen: str | None) -> Path:
    """Where the output of a run goes: as chosen now, as given to `start`, or the default; absolute."""
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(known_folder(settings, project_id) or f"results/{project_id}").absolute()
