"""The work of the commands about schedules that exist."""

from collections.abc import Awaitable, Callable

from cli.console import columns, say, show, show_json
from cli.schedule_making import checked_name, parse_overlap
from cli.schedule_results import list_rows, present_schedule, row_object
from cli.session import operator, run_async, settings_for
from cli.steering import parsed
from orchestrator.client.facade import OrchClient
from orchestrator.client.timing import parse_moment
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line


def show_schedules(limit: int, *, json_output: bool, profile: str | None) -> int:
    """List schedules."""
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        rows = await client.schedules.rows(limit)
        if json_output:
            show_json({"schedules": [row_object(row) for row in rows]})
        elif not rows:
            say("No schedules yet.")
        else:
            for line in columns(list_rows(rows), indent=""):
                show(line)
        return 0

    return run_async(command())


def show_schedule(name: str, *, json_output: bool, profile: str | None) -> int:
    """Show one schedule."""

    async def nothing(client: OrchClient) -> None: ...

    return _act(name, nothing, json_output, profile)


def pause_schedule(name: str, reason: str, *, json_output: bool, profile: str | None) -> int:
    """Pause a schedule, and show it."""
    note = one_line(f"paused by {operator()}{': ' + reason if reason else ''}")

    async def act(client: OrchClient) -> None:
        await client.schedules.pause(name, note)

    return _act(name, act, json_output, profile)


def resume_schedule(name: str, *, json_output: bool, profile: str | None) -> int:
    """Let a schedule fire again, and show it."""

    async def act(client: OrchClient) -> None:
        await client.schedules.resume(name, one_line(f"resumed by {operator()}"))

    return _act(name, act, json_output, profile)


def trigger_schedule(name: str, *, json_output: bool, profile: str | None) -> int:
    """Fire once; show the batch that was started."""
    checked_name(name)
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        batch_id = await client.schedules.trigger(name)
        if json_output:
            show_json({"name": name, "batch_id": batch_id})
        elif batch_id:
            show(batch_id)
        if batch_id:
            say(f"Started {batch_id}; follow it with 'orch-cli batch watch {batch_id}'.")
        else:
            say("Nothing was started: another run goes on, and --overlap of the schedule decides what becomes of this.")
        return 0

    return run_async(command())


def backfill_schedule(
    name: str, since: str, until: str, overlap: str, *, json_output: bool, profile: str | None
) -> int:
    """Run all that was due in a span, and show the schedule."""
    how = parsed("--overlap", parse_overlap, overlap)

    async def act(client: OrchClient) -> None:
        timezone = (await client.schedules.view(name)).timezone
        start = parsed("--from", lambda raw: parse_moment(raw, timezone), since)
        end = parsed("--to", lambda raw: parse_moment(raw, timezone), until)
        if end < start:
            raise UserInputError(f"--to: {until[:60]!r} is before {since[:60]!r}")
        await client.schedules.backfill(name, start, end, how)
        say("What was due in that time is being run; 'orch-cli schedule show' tells what came of it.")

    return _act(name, act, json_output, profile)


def delete_schedule(name: str, *, json_output: bool, profile: str | None) -> int:
    """Remove a schedule."""
    checked_name(name)
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        await client.schedules.delete(name)
        if json_output:
            show_json({"name": name, "deleted": True})
        say(f"Schedule {name} is gone; its runs and their results stay.")
        return 0

    return run_async(command())


def _act(name: str, act: Callable[[OrchClient], Awaitable[None]], json_output: bool, profile: str | None) -> int:
    """Do something to a schedule, and show it as it then is."""
    checked_name(name)
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        await act(client)
        await present_schedule(client, await client.schedules.view(name), json_output=json_output)
        return 0

    return run_async(command())
