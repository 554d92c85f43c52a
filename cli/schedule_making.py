"""The work of `schedule create|update`: every flag checked, the file resolved, the schedule made."""

from dataclasses import dataclass
from pathlib import Path

from cli.console import say
from cli.delivering import overlaid, wanted_delivery
from cli.schedule_results import present_schedule
from cli.session import operator, run_async, settings_for
from cli.steering import parsed
from orchestrator.client.batch_spec import PlannedBatch, plan_batch
from orchestrator.client.deliveries import local_delivery
from orchestrator.client.facade import OrchClient
from orchestrator.client.schedule_forms import Overlap, Timing
from orchestrator.client.schedules import Changes
from orchestrator.client.spec import parse_budget, parse_concurrency, parse_time_limit
from orchestrator.client.timing import (
    DEFAULT_CATCHUP,
    parse_calendar,
    parse_catchup,
    parse_cron,
    parse_every,
    parse_schedule_name,
    parse_timezone,
)
from orchestrator.contracts.delivery import Delivery
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings


@dataclass(frozen=True)
class ScheduleOptions:
    """The command line of `schedule create` and `update`, as typed; None or empty where a flag was not given."""

    file: str | None
    cron: list[str]
    every: list[str]
    calendar: list[str]
    timezone: str | None
    jitter: str | None
    overlap: str | None
    catchup: str | None
    budget_per_run: str | None
    budget_per_month: str | None
    concurrency: str | None
    output_dir: str | None
    webhook: str | None
    on_finish: str | None
    json_output: bool
    profile: str | None


def create_schedule(name: str, options: ScheduleOptions, *, paused: bool) -> int:
    """Make a schedule, and show it. Raises OrchError."""
    checked_name(name)
    timing = _timing(options)
    if not timing.tells_when:
        raise UserInputError("say when: give --cron, --every or --calendar")
    if timing.catchup_s is None:
        timing = timing.model_copy(update={"catchup_s": parse_catchup(DEFAULT_CATCHUP)})
    settings = settings_for(options.profile)
    month_micro = _month(options)
    file, plan = _plan(options, settings)
    delivery = local_delivery(_delivery(options, plan.delivery or Delivery()), settings)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        view = await client.schedules.create(
            name, plan, file, timing, month_micro=month_micro, delivery=delivery, paused=paused, by=operator()
        )
        await present_schedule(client, view, json_output=options.json_output)
        if settings.embedded:
            say(
                "It fires while the local server and worker run, until 'orch-cli server down' or a restart of this "
                "machine; 'orch-cli server up' starts them again."
            )
        return 0

    return run_async(command())


def update_schedule(name: str, options: ScheduleOptions) -> int:
    """Change a schedule, and show it. Raises OrchError."""
    checked_name(name)
    if not options.file and (options.budget_per_run or options.concurrency):
        raise UserInputError("--budget-per-run and --concurrency need --file: they are worked out when it is read")
    timing = _timing(options)
    settings = settings_for(options.profile)
    month_micro = _month(options)
    file, plan = _plan(options, settings) if options.file else (None, None)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        view = await client.schedules.view(name)
        known = view.batch.delivery or Delivery()
        wanted = _delivery(options, overlaid(known, plan.delivery if plan else None))
        changes = Changes(
            timing=timing,
            plan=plan,
            file=file,
            month_micro=month_micro,
            delivery=(local_delivery(wanted, settings) or Delivery()) if wanted != known else None,
        )
        if changes == Changes(timing=Timing()):
            raise UserInputError("say what to change; --file FILE takes a file as it is now")
        await present_schedule(client, await client.schedules.update(name, changes), json_output=options.json_output)
        return 0

    return run_async(command())


def checked_name(name: str) -> str:
    """`name`, if a schedule can have it. Raises UserInputError."""
    return parsed("NAME", parse_schedule_name, name)


def parse_overlap(raw: str) -> Overlap:
    """What to do about an overlap. Raises ValueError."""
    try:
        return Overlap(raw.strip().lower())
    except ValueError:
        raise ValueError(f"must be {', '.join(Overlap)}; got {raw[:60]!r}") from None


def _timing(options: ScheduleOptions) -> Timing:
    crons = [parsed("--cron", parse_cron, one) for one in options.cron]
    calendars = [parsed("--calendar", parse_calendar, one) for one in options.calendar]
    return Timing(
        calendars=(*crons, *calendars),
        intervals=tuple(parsed("--every", parse_every, one) for one in options.every),
        timezone=parsed("--timezone", parse_timezone, options.timezone) if options.timezone else None,
        jitter_s=parsed("--jitter", parse_time_limit, options.jitter) if options.jitter else None,
        overlap=parsed("--overlap", parse_overlap, options.overlap) if options.overlap else None,
        catchup_s=parsed("--catchup", parse_catchup, options.catchup) if options.catchup else None,
    )


def _month(options: ScheduleOptions) -> int | None:
    raw = options.budget_per_month
    return None if raw is None else parsed("--budget-per-month", parse_budget, raw)


def _plan(options: ScheduleOptions, settings: Settings) -> tuple[Path, PlannedBatch]:
    """The file, resolved: what it says now is what runs."""
    file = Path(options.file or "").expanduser().absolute()
    raw_budget, raw_concurrency = options.budget_per_run, options.concurrency
    plan = plan_batch(
        [file],
        settings,
        max_micro=None if raw_budget is None else parsed("--budget-per-run", parse_budget, raw_budget),
        concurrency=None if raw_concurrency is None else parsed("--concurrency", parse_concurrency, raw_concurrency),
    )
    return file, plan


def _delivery(options: ScheduleOptions, known: Delivery) -> Delivery:
    return wanted_delivery(known, options.webhook, options.on_finish, options.output_dir)
