"""From a run under way to its result: what `start`, `resume` and `watch` have in common."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cli.console import say
from cli.dialogue import can_ask
from cli.finish import come_back, finish
from cli.progress import progress_for_terminal
from cli.standby import Standby
from cli.waiting import follow
from orchestrator.client.facade import OrchClient
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Waiting:
    """How to wait for a run: where its output goes, whether a person may be asked, how the result is shown.

    `since`: number of the last event that is known already.
    """

    folder: Path
    no_input: bool
    json_output: bool
    simulated_said: bool = False
    since: int = 0


async def follow_to_end(client: OrchClient, settings: Settings, project_id: str, waiting: Waiting) -> int:
    """Show progress until the run has ended, write its output, show the result; returns its exit code."""
    progress = progress_for_terminal()
    standby = Standby(client, project_id, progress, ask=can_ask(waiting.no_input))
    try:
        said, since = waiting.simulated_said, waiting.since
        view = await follow(client, project_id, progress, simulated_said=said, attend=standby, since=since)
    except asyncio.CancelledError:
        say(f"\nDetached: {project_id} goes on without this command. {come_back(project_id)}")
        raise
    standby.tell(view)
    return await finish(client, settings, view, waiting.folder, json_output=waiting.json_output)
