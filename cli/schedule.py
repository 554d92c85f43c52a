"""`schedule`: batches that start by the clock. The signatures; the work is in `cli.scheduling`, imported then."""

from typing import Annotated

import typer

from cli.options import Json, OnFinish, Profile, Webhook

app = typer.Typer(help="Batches and projects that start by the clock.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule: small letters, digits, '-'.")]
Cron = Annotated[
    list[str] | None, typer.Option("--cron", metavar="EXPR", help="Such as '30 2 * * mon-fri'; may be repeated.")
]
Every = Annotated[
    list[str] | None,
    typer.Option(
        "--every", metavar="TIME", help="Such as 1h, or 1d/2h: two hours after midnight UTC; may be repeated."
    ),
]
Calendar = Annotated[
    list[str] | None,
    typer.Option("--calendar", metavar="FIELDS", help="Such as 'hour=2,14 weekday=mon-fri'; may be repeated."),
]
Timezone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.  [default: UTC]")
]
Jitter = Annotated[
    str | None, typer.Option("--jitter", metavar="TIME", help="Start up to so much later, at random.  [default: none]")
]
OverlapOption = Annotated[
    str | None,
    typer.Option(
        "--overlap",
        metavar="skip|buffer|allow|cancel",
        help="When a run is due while another one goes on: leave it out, let one wait, start it, "
        "or cancel the other.  [default: skip]",
    ),
]
Catchup = Annotated[
    str | None,
    typer.Option("--catchup", metavar="TIME", help="How late a missed run is still made up for.  [default: 1h]"),
]
RunBudget = Annotated[
    str | None, typer.Option("--budget-per-run", metavar="USD", help="Most that one run spends.  [default: the file's]")
]
MonthBudget = Annotated[
    str | None, typer.Option("--budget-per-month", metavar="USD", help="Most that all runs of a calendar month spend.")
]
Concurrency = Annotated[
    str | None,
    typer.Option("--concurrency", metavar="N", help="Projects at a time, 1 to 64.  [default: the file's, or 4]"),
]
OutputDir = Annotated[
    str | None,
    typer.Option(
        "--output-dir", "-o", metavar="FOLDER", help="Where the worker writes results, such as results/%Y-%m-%d."
    ),
]
File = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="Project file or batch file, YAML or JSON.")]


@app.command("create")
def create(
    name: Name,
    file: File,
    cron: Cron = None,
    every: Every = None,
    calendar: Calendar = None,
    timezone: Timezone = None,
    jitter: Jitter = None,
    overlap: OverlapOption = None,
    catchup: Catchup = None,
    budget_per_run: RunBudget = None,
    budget_per_month: MonthBudget = None,
    concurrency: Concurrency = None,
    output_dir: OutputDir = None,
    webhook: Webhook = None,
    on_finish: OnFinish = None,
    paused: Annotated[bool, typer.Option("--paused", help="Fire only after 'schedule resume'.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Run what a file says by the clock, with nobody there.

    The file is read now: its projects, models, prices and policies are kept as they are, and the digest of what runs
    is shown. 'schedule update NAME --file FILE' takes a changed file. Results stay in the artifact store: 'export'
    fetches them.
    """
    from cli.schedule_making import ScheduleOptions, create_schedule

    options = ScheduleOptions(
        file=file,
        cron=cron or [],
        every=every or [],
        calendar=calendar or [],
        timezone=timezone,
        jitter=jitter,
        overlap=overlap,
        catchup=catchup,
        budget_per_run=budget_per_run,
        budget_per_month=budget_per_month,
        concurrency=concurrency,
        output_dir=output_dir,
        webhook=webhook,
        on_finish=on_finish,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(create_schedule(name, options, paused=paused))


@app.command("update")
def update(
    name: Name,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="Run what this file says now.")
    ] = None,
    cron: Cron = None,
    every: Every = None,
    calendar: Calendar = None,
    timezone: Timezone = None,
    jitter: Jitter = None,
    overlap: OverlapOption = None,
    catchup: Catchup = None,
    budget_per_run: RunBudget = None,
    budget_per_month: MonthBudget = None,
    concurrency: Concurrency = None,
    output_dir: OutputDir = None,
    webhook: Webhook = None,
    on_finish: OnFinish = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Change a schedule; what is not named stays, runs under way go on as they are.

    New times replace all former ones. --budget-per-run and --concurrency need --file.
    """
    from cli.schedule_making import ScheduleOptions, update_schedule

    options = ScheduleOptions(
        file=file,
        cron=cron or [],
        every=every or [],
        calendar=calendar or [],
        timezone=timezone,
        jitter=jitter,
        overlap=overlap,
        catchup=catchup,
        budget_per_run=budget_per_run,
        budget_per_month=budget_per_month,
        concurrency=concurrency,
        output_dir=output_dir,
        webhook=webhook,
        on_finish=on_finish,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(update_schedule(name, options))


@app.command("list")
def list_schedules(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most schedules to list.")] = 100,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """List schedules: when they fire, and when next."""
    from cli.scheduling import show_schedules

    raise typer.Exit(show_schedules(limit, json_output=json_output, profile=profile))


@app.command("show")
def show(name: Name, json_output: Json = False, profile: Profile = None) -> None:
    """Show one schedule: what it runs, its next runs, the results of its last ones."""
    from cli.scheduling import show_schedule

    raise typer.Exit(show_schedule(name, json_output=json_output, profile=profile))


@app.command("pause")
def pause(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; 'schedule show' tells it.")] = "",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Fire no more until 'schedule resume'; a run under way goes on."""
    from cli.scheduling import pause_schedule

    raise typer.Exit(pause_schedule(name, reason, json_output=json_output, profile=profile))


@app.command("resume")
def resume(name: Name, json_output: Json = False, profile: Profile = None) -> None:
    """Fire again."""
    from cli.scheduling import resume_schedule

    raise typer.Exit(resume_schedule(name, json_output=json_output, profile=profile))


@app.command("trigger")
def trigger(name: Name, json_output: Json = False, profile: Profile = None) -> None:
    """Fire once, now, also while the schedule is paused."""
    from cli.scheduling import trigger_schedule

    raise typer.Exit(trigger_schedule(name, json_output=json_output, profile=profile))


@app.command("backfill")
def backfill(
    name: Name,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Such as 2026-11-18 or 2026-11-18T02:30.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="The end of the span.")],
    overlap: Annotated[
        str,
        typer.Option("--overlap", metavar="skip|buffer|allow|cancel", help="With buffer, one after the other."),
    ] = "buffer",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Run all that was due in a span of time, also while the schedule is paused.

    Times are of the schedule's time zone. Output folders get the date of the run that is made up for.
    """
    from cli.scheduling import backfill_schedule

    raise typer.Exit(backfill_schedule(name, since, until, overlap, json_output=json_output, profile=profile))


@app.command("delete")
def delete(name: Name, json_output: Json = False, profile: Profile = None) -> None:
    """Remove a schedule; a run under way goes on, and results stay."""
    from cli.scheduling import delete_schedule

    raise typer.Exit(delete_schedule(name, json_output=json_output, profile=profile))
