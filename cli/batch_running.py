"""The work of the commands about batches."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cli.batch_progress import batch_progress
from cli.batch_results import markdown_report, report_lines, result_object, summary
from cli.console import columns, say, show, show_json
from cli.results import SIMULATED_NOTICE, exit_code, is_closed
from cli.session import operator, run_async, settings_for
from cli.steering import parsed
from orchestrator.client.batch_spec import PlannedBatch, plan_batch
from orchestrator.client.batches import BatchRow
from orchestrator.client.facade import OrchClient
from orchestrator.client.spec import new_project_id, parse_budget, parse_concurrency
from orchestrator.client.watching import follow
from orchestrator.contracts.batch import BatchView
from orchestrator.contracts.messages import SetBudget
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

_SETTLE_S = 5.0
_CLOSE_S = 15.0
# A schedule adds the time of its run to the ids of its batches.
_BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:.-]{0,199}")


@dataclass(frozen=True)
class RunOptions:
    """The command line of `batch run`, as typed."""

    files: tuple[str, ...]
    budget: str | None
    concurrency: str | None
    detach: bool
    json_output: bool
    profile: str | None


def run_batch(options: RunOptions) -> int:
    """Run a batch; returns the exit code. Raises OrchError."""
    settings = settings_for(options.profile)
    plan = plan_batch(
        [Path(name).expanduser() for name in options.files],
        settings,
        max_micro=None if options.budget is None else parsed("--budget", parse_budget, options.budget),
        concurrency=None
        if options.concurrency is None
        else parsed("--concurrency", parse_concurrency, options.concurrency),
    )
    batch_id = new_project_id(plan.name, readable=settings.readable_ids)

    async def command() -> int:
        client = await _connected(settings, batch_id, plan)
        if options.detach:
            code = await _present(client, batch_id, json_output=options.json_output)
            say(_come_back(batch_id))
            return code
        return await _follow(client, batch_id, json_output=options.json_output)

    return run_async(command())


async def _connected(settings: Settings, batch_id: str, plan: PlannedBatch) -> OrchClient:
    """A client that has started the batch."""
    if settings.embedded and not settings.vendors:
        say(f"No key is configured, so {SIMULATED_NOTICE}.")
    client = await OrchClient.connect(settings, say)
    try:
        await client.batches.start(batch_id, plan, operator())
    except asyncio.CancelledError:
        say(f"\nInterrupted at the start; 'orch-cli batch status {batch_id}' tells whether the batch began.")
        raise
    say(f"Started {batch_id}: {len(plan.projects)} projects, {plan.concurrency} at a time.")
    return client


def show_status(batch_id: str, *, json_output: bool, profile: str | None) -> int:
    """Show a batch as it is; 0 whatever its status."""
    return _with_batch(batch_id, profile, lambda client: _present(client, batch_id, json_output=json_output))


def watch_batch(batch_id: str, *, json_output: bool, profile: str | None) -> int:
    """Follow a batch to its end; the exit code of its worst project."""
    return _with_batch(batch_id, profile, lambda client: _follow(client, batch_id, json_output=json_output))


def show_report(batch_id: str, *, markdown: bool, json_output: bool, profile: str | None) -> int:
    """Show every project of a batch; 0 whatever its status."""

    async def command(client: OrchClient) -> int:
        view = await client.batches.view(batch_id)
        if json_output:
            show_json(result_object(view))
        elif markdown:
            show(markdown_report(view))
        else:
            for line in report_lines(view):
                show(line)
        return 0

    return _with_batch(batch_id, profile, command)


def pause_batch(batch_id: str, reason: str, *, json_output: bool, profile: str | None) -> int:
    """Pause a batch, and show it."""

    async def command(client: OrchClient) -> int:
        await client.batches.pause(batch_id, reason, operator())
        await _settle(client, batch_id, lambda view: view.status is ProjectStatus.PAUSED)
        return await _present(client, batch_id, json_output=json_output)

    return _with_batch(batch_id, profile, command)


def resume_batch(batch_id: str, *, json_output: bool, profile: str | None) -> int:
    """End the pause of a batch, and show it."""

    async def command(client: OrchClient) -> int:
        view = await client.batches.view(batch_id)
        if is_closed(view.status):
            raise UserInputError(
                f"batch {batch_id} has ended as {view.status.value}; "
                "'orch-cli resume PROJECT' goes on with one of its projects"
            )
        await client.batches.resume(batch_id, operator())
        await _settle(client, batch_id, lambda now: now.status is not ProjectStatus.PAUSED)
        return await _present(client, batch_id, json_output=json_output)

    return _with_batch(batch_id, profile, command)


def budget_of_batch(batch_id: str, max_usd: str | None, *, json_output: bool, profile: str | None) -> int:
    """Show a batch, after setting a new budget where one is given."""
    max_micro = None if max_usd is None else parsed("--max-usd", parse_budget, max_usd)

    async def command(client: OrchClient) -> int:
        if max_micro is not None:
            say(one_line(await client.batches.steer(batch_id, SetBudget(by=operator(), max_micro=max_micro))))
        return await _present(client, batch_id, json_output=json_output)

    return _with_batch(batch_id, profile, command)


def cancel_batch(batch_id: str, *, json_output: bool, profile: str | None) -> int:
    """Cancel a batch, and show it."""

    async def command(client: OrchClient) -> int:
        await client.batches.cancel(batch_id)
        if await client.batches.wait_closed(batch_id, _CLOSE_S) is None:
            say("Cancellation is under way: its projects are being ended.")
        return await _present(client, batch_id, json_output=json_output)

    return _with_batch(batch_id, profile, command)


def show_batches(limit: int, *, json_output: bool, profile: str | None) -> int:
    """List batches, newest first."""
    settings = settings_for(profile)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        rows = await client.batches.rows(limit)
        if json_output:
            show_json({"batches": [row.model_dump(mode="json") for row in rows]})
        elif not rows:
            say("No batches yet.")
        else:
            head = ("batch", "status", "started", "spent", "projects", "name")
            for line in columns([head, *(_row(row) for row in rows)], indent=""):
                show(line)
        return 0

    return run_async(command())


def _with_batch(batch_id: str, profile: str | None, command: Callable[[OrchClient], Awaitable[int]]) -> int:
    """Run a command about a batch. Raises UserInputError for what is no id."""
    settings = settings_for(profile)
    if not _BATCH_ID.fullmatch(batch_id):
        raise UserInputError(f"{batch_id[:80]!r} is no id of a batch; 'orch-cli batch list' shows them")

    async def connected() -> int:
        return await command(await OrchClient.connect(settings, say))

    return run_async(connected())


async def _follow(client: OrchClient, batch_id: str, *, json_output: bool) -> int:
    """Show progress until the batch has ended, print its table; returns its exit code."""
    try:
        view = await follow(client.batches, batch_id, batch_progress())
    except asyncio.CancelledError:
        say(f"\nDetached: {batch_id} goes on without this command. {_come_back(batch_id)}")
        raise
    if json_output:
        show_json(result_object(view))
    else:
        for line in report_lines(view):
            show(line)
    return exit_code(view.status)


async def _present(client: OrchClient, batch_id: str, *, json_output: bool) -> int:
    view = await client.batches.view(batch_id)
    if json_output:
        show_json(result_object(view))
    else:
        for line in summary(view):
            show(line)
    return 0


async def _settle(client: OrchClient, batch_id: str, settled: Callable[[BatchView], bool]) -> None:
    """Give something that was asked of a batch its time to take effect."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while asyncio.get_running_loop().time() < deadline:
        view = await client.batches.view(batch_id)
        if settled(view) or is_closed(view.status):
            return
        await asyncio.sleep(0.1)


def _come_back(batch_id: str) -> str:
    return f"Come back with 'orch-cli batch watch {batch_id}'."


def _row(row: BatchRow) -> tuple[str, ...]:
    return (
        one_line(row.batch_id, 60),
        row.status,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started_s)),
        f"${row.spent_usd:.4f} of ${row.max_usd:.2f}",
        f"{row.projects_done}/{row.projects_total}",
        one_line(row.name, 60),
    )
