"""The work of the commands about runs that exist."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cli.console import columns, say, show, show_json
from cli.finish import known_folder, output_folder, present
from cli.following import Waiting, follow_to_end
from cli.pipeline_runs import cancel_pipeline, pause_pipeline, show_run, watch_pipeline
from cli.results import is_closed
from cli.session import checked_id, operator, run_async, settings_for
from orchestrator.client.facade import OrchClient
from orchestrator.client.reading import ProjectRow
from orchestrator.contracts.names import workflow_id
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.errors import OrchError
from orchestrator.domain.text import one_line

_SETTLE_S = 5.0
_CLOSE_S = 15.0
_READ_AT_ONCE = 8


def show_status(project_id: str, *, json_output: bool, profile: str | None) -> int:
    """Show a run as it is; 0 whatever its status."""
    settings = settings_for(profile)
    checked_id(project_id)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.pipelines.exists(project_id):
            return await show_run(client, project_id, json_output=json_output)
        view = await client.view(project_id)
        present(view, known_folder(settings, project_id), json_output=json_output)
        return 0

    return run_async(command())


def watch_run(
    project_id: str, output_dir: str | None, *, no_input: bool, json_output: bool, profile: str | None
) -> int:
    """Follow a run to its end, write its output, exit by its status."""
    settings = settings_for(profile)
    folder = output_folder(settings, checked_id(project_id), output_dir)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.pipelines.exists(project_id):
            return await watch_pipeline(client, project_id, json_output=json_output)
        waiting = Waiting(folder=folder, no_input=no_input, json_output=json_output)
        return await follow_to_end(client, settings, project_id, waiting)

    return run_async(command())


def pause_run(project_id: str, reason: str, *, json_output: bool, profile: str | None) -> int:
    """Pause a run, and show it."""

    async def act(client: OrchClient) -> None:
        await client.pause(project_id, reason, by=operator())

    async def of_pipeline(client: OrchClient) -> int:
        return await pause_pipeline(client, project_id, reason, json_output=json_output)

    return _act(project_id, act, _is_paused, of_pipeline, json_output, profile)


def _is_paused(view: ProjectView) -> bool:
    return view.status is ProjectStatus.PAUSED


def cancel_run(project_id: str, *, json_output: bool, profile: str | None) -> int:
    """Cancel a run, and show it."""

    async def act(client: OrchClient) -> None:
        await client.cancel(project_id)
        if await client.wait_closed(project_id, _CLOSE_S) is None:
            say("Cancellation is under way: calls in flight are being ended.")
        else:
            say(f"What was finished can be written with 'orch-cli export {project_id}'.")

    async def of_pipeline(client: OrchClient) -> int:
        return await cancel_pipeline(client, project_id, json_output=json_output)

    return _act(project_id, act, lambda view: True, of_pipeline, json_output, profile)


def _act(
    project_id: str,
    act: Callable[[OrchClient], Awaitable[None]],
    settled: Callable[[ProjectView], bool],
    of_pipeline: Callable[[OrchClient], Awaitable[int]],
    json_output: bool,
    profile: str | None,
) -> int:
    """Do something to a run, give it a moment to take effect, and show the run as it then is."""
    settings = settings_for(profile)
    checked_id(project_id)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.pipelines.exists(project_id):
            return await of_pipeline(client)
        await act(client)
        view = await settled_view(client, project_id, settled)
        present(view, known_folder(settings, project_id), json_output=json_output)
        return 0

    return run_async(command())


async def settled_view(client: OrchClient, project_id: str, settled: Callable[[ProjectView], bool]) -> ProjectView:
    """The run once something that was asked of it has taken effect, or has had its time to."""
    view = await client.view(project_id)
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while not (settled(view) or is_closed(view.status)) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        view = await client.view(project_id)
    return view


def show_list(limit: int, *, json_output: bool, profile: str | None) -> int:
    """List runs, newest first."""
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        runs = await client.list(limit)
        simulated = await _simulated(client, runs)
        if json_output:
            show_json({"projects": [_list_object(run, simulated[run.project_id]) for run in runs]})
        elif not runs:
            say("No runs yet.")
        else:
            head = ("project", "status", "started", "spent", "tasks", "models", "what")
            rows = [head, *(_list_row(run, simulated[run.project_id]) for run in runs)]
            for line in columns(rows, indent=""):
                show(line)
        return 0

    return run_async(command())


async def _simulated(client: OrchClient, runs: list[ProjectRow]) -> dict[str, bool | None]:
    """Which runs are done by simulated models; None where a run does not tell just now."""
    at_once = asyncio.Semaphore(_READ_AT_ONCE)

    async def ask(run: ProjectRow) -> bool | None:
        async with at_once:
            try:
                return (await client.view(run.project_id)).simulated
            except OrchError:
                return None

    answers = await asyncio.gather(*(ask(run) for run in runs))
    return {run.project_id: answer for run, answer in zip(runs, answers, strict=True)}


def _list_object(run: ProjectRow, simulated: bool | None) -> dict[str, Any]:
    return {
        "project_id": run.project_id,
        "workflow_id": workflow_id(run.project_id),
        "status": run.status,
        "project": run.project,
        "started_s": run.started_s,
        "closed_s": run.closed_s,
        "spent_usd": run.spent_usd,
        "tasks_done": run.tasks_done,
        "tasks_total": run.tasks_total,
        "simulated": simulated,
        "batch": run.batch,
    }


def _list_row(run: ProjectRow, simulated: bool | None) -> tuple[str, ...]:
    return (
        one_line(run.project_id, 60),
        run.status,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_s)),
        f"${run.spent_usd:.4f}",
        f"{run.tasks_done}/{run.tasks_total}",
        "?" if simulated is None else "simulated" if simulated else "real",
        one_line(run.project, 60),
    )
