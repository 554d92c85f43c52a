"""The work of `events`."""

import json
import time

from cli.console import say, show
from cli.session import checked_id, run_async, settings_for
from cli.waiting import follow as follow_run
from orchestrator.client.facade import OrchClient
from orchestrator.client.watching import follow as follow_any
from orchestrator.contracts.project import Event
from orchestrator.domain.text import one_line

_MAX_TEXT = 300


def show_events(project_id: str, *, follow: bool, json_output: bool, profile: str | None) -> int:
    """Print the events of a run, or all of them until it has ended."""
    settings = settings_for(profile)
    checked_id(project_id)
    log = EventLog(json_output=json_output)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.pipelines.exists(project_id):
            return await _of_pipeline(client, project_id, log, follow=follow)
        if follow:
            await follow_run(client, project_id, log, simulated_said=True)
        else:
            for event in await client.events(project_id, 0):
                log.event(event)
        return 0

    return run_async(command())


async def _of_pipeline(client: OrchClient, run_id: str, log: "EventLog", *, follow: bool) -> int:
    if follow:
        await follow_any(client.pipelines, run_id, log)
    else:
        for event in await client.pipelines.events(run_id, 0):
            log.event(event)
    return 0


class EventLog:
    """Prints events on stdout as they come; everything else that is said about the wait goes to stderr."""

    def __init__(self, *, json_output: bool) -> None:
        self._json = json_output

    def event(self, event: Event) -> None:
        """One line."""
        show(json.dumps(event.model_dump(mode="json")) if self._json else event_line(event))

    def view(self, view: object) -> None:
        """The log tells events alone."""

    def note(self, text: str) -> None:
        """About the wait, not the run."""
        say(text)

    def close(self) -> None:
        """Nothing is held open."""


def event_line(event: Event) -> str:
    """Number, local time, kind, task, what happened, and who asked for it."""
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time_s))
    task = f"{one_line(event.task, 24)} " if event.task else ""
    by = f" (by {one_line(event.by, 120)})" if event.by else ""
    return (
        f"{event.seq:>5}  {clock}  {one_line(event.kind, 24):<20}  {task}{one_line(event.text, _MAX_TEXT)}{by}".rstrip()
    )
