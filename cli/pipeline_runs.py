"""Runs of pipelines by id: followed, shown, paused, resumed, cancelled. What reads YAML is not imported here."""

import asyncio
from collections.abc import Callable

from cli.console import say, show, show_json
from cli.pipeline_progress import pipeline_progress
from cli.pipeline_results import output_text, result_object, summary
from cli.results import exit_code, is_closed
from cli.session import operator
from orchestrator.client.facade import OrchClient
from orchestrator.client.pipelines import PipelineOutput
from orchestrator.client.watching import follow
from orchestrator.contracts.pipeline import PipelineView
from orchestrator.contracts.project import ProjectStatus

_SETTLE_S = 5.0
_CLOSE_S = 15.0


async def watch_pipeline(client: OrchClient, run_id: str, *, json_output: bool) -> int:
    """Follow a run to its end, print its output; returns its exit code."""
    try:
        view = await follow(client.pipelines, run_id, pipeline_progress())
    except asyncio.CancelledError:
        say(f"\nDetached: {run_id} goes on without this command. Come back with 'orch-cli watch {run_id}'.")
        raise
    found = await client.pipelines.output(view)
    if json_output:
        show_json(result_object(found))
    else:
        for line in summary(view):
            say(line)
        if found.success and found.final_output is not None:
            show(output_text(found.final_output))
    return exit_code(view.status)


async def show_run(client: OrchClient, run_id: str, *, json_output: bool) -> int:
    """Show a run as it is; 0 whatever its status."""
    view = await client.pipelines.view(run_id)
    if json_output:
        ended = is_closed(view.status)
        show_json(result_object(await client.pipelines.output(view) if ended else PipelineOutput(view=view)))
    else:
        for line in summary(view):
            show(line)
    return 0


async def pause_pipeline(client: OrchClient, run_id: str, reason: str, *, json_output: bool) -> int:
    """Pause a run, and show it."""
    await client.pipelines.pause(run_id, reason, operator())
    await _settle(client, run_id, lambda view: view.status is ProjectStatus.PAUSED)
    return await show_run(client, run_id, json_output=json_output)


async def resume_pipeline(
    client: OrchClient, run_id: str, max_micro: int | None, *, detach: bool, json_output: bool
) -> int:
    """End a pause and show the run; or start one that has ended again, and follow it. Raises UserInputError."""
    view = await client.pipelines.view(run_id)
    if view.status is ProjectStatus.SUCCESS:
        say(f"{run_id} is complete: there is nothing to resume.")
    elif is_closed(view.status):
        await client.pipelines.restart(run_id, max_micro, operator())
        say(f"{run_id} goes on where it stopped: {view.steps_done} of {view.steps_total} steps had ended.")
        if not detach:
            return await watch_pipeline(client, run_id, json_output=json_output)
    else:
        await client.pipelines.resume(run_id, operator())
        await _settle(client, run_id, lambda now: now.status is not ProjectStatus.PAUSED)
    return await show_run(client, run_id, json_output=json_output)


async def cancel_pipeline(client: OrchClient, run_id: str, *, json_output: bool) -> int:
    """Cancel a run, and show it."""
    await client.pipelines.cancel(run_id)
    if await client.pipelines.wait_closed(run_id, _CLOSE_S) is None:
        say("Cancellation is under way: calls in flight are being ended.")
    return await show_run(client, run_id, json_output=json_output)


async def _settle(client: OrchClient, run_id: str, settled: Callable[[PipelineView], bool]) -> None:
    """Give something that was asked of a run its time to take effect."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while asyncio.get_running_loop().time() < deadline:
        view = await client.pipelines.view(run_id)
        if settled(view) or is_closed(view.status):
            return
        await asyncio.sleep(0.1)
