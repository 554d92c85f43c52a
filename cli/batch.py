"""`batch`: many projects under one budget. Signatures only; the work is imported when it is needed."""

from typing import Annotated

import typer

from cli.options import Json, Profile

app = typer.Typer(help="Many projects under one budget.", no_args_is_help=True, rich_markup_mode=None)

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Id of a batch, as printed by 'batch run' and 'list'.")]


@app.command("run")
def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="Project files, or one batch file that lists them.")
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            metavar="USD",
            help="Most that all of them together may spend.  [default: the file's, or the sum of their own]",
        ),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option("--concurrency", metavar="N", help="Projects at a time, 1 to 64.  [default: the file's, or 4]"),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the batch has begun.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Run projects, some at a time, and print what came of each.

    Each project's budget is set aside before it starts, and what it did not use is returned when it ends. The batch
    goes on when one fails. Exits like 'start' would for the worst of them.
    """
    from cli.batch_running import RunOptions, run_batch

    options = RunOptions(
        files=tuple(files),
        budget=budget,
        concurrency=concurrency,
        detach=detach,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(run_batch(options))


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most batches to list.")] = 50,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """List batches, newest first."""
    from cli.batch_running import show_batches

    raise typer.Exit(show_batches(limit, json_output=json_output, profile=profile))


@app.command("status")
def status(batch_id: BatchId, json_output: Json = False, profile: Profile = None) -> None:
    """Show a batch as it is: how far it is, what it has spent, its projects."""
    from cli.batch_running import show_status

    raise typer.Exit(show_status(batch_id, json_output=json_output, profile=profile))


@app.command("watch")
def watch(batch_id: BatchId, json_output: Json = False, profile: Profile = None) -> None:
    """Follow a batch to its end. Exits like 'batch run'."""
    from cli.batch_running import watch_batch

    raise typer.Exit(watch_batch(batch_id, json_output=json_output, profile=profile))


@app.command("report")
def report(
    batch_id: BatchId,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, to be passed on.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Print status, spend and quality of every project of a batch."""
    from cli.batch_running import show_report

    raise typer.Exit(show_report(batch_id, markdown=markdown, json_output=json_output, profile=profile))


@app.command("budget")
def budget(
    batch_id: BatchId,
    max_usd: Annotated[
        str | None, typer.Option("--max-usd", metavar="USD", help="New budget of all projects together.")
    ] = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Show the budget of a batch, or set a new one while it runs.

    Projects that were refused for want of money start after all where a larger budget allows it.
    """
    from cli.batch_running import budget_of_batch

    raise typer.Exit(budget_of_batch(batch_id, max_usd, json_output=json_output, profile=profile))


@app.command("pause")
def pause(
    batch_id: BatchId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the batch tells it.")] = "",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Start no more projects, and pause those that run; model calls in flight finish."""
    from cli.batch_running import pause_batch

    raise typer.Exit(pause_batch(batch_id, reason, json_output=json_output, profile=profile))


@app.command("resume")
def resume(batch_id: BatchId, json_output: Json = False, profile: Profile = None) -> None:
    """Go on with a paused batch and all of its projects."""
    from cli.batch_running import resume_batch

    raise typer.Exit(resume_batch(batch_id, json_output=json_output, profile=profile))


@app.command("cancel")
def cancel(batch_id: BatchId, json_output: Json = False, profile: Profile = None) -> None:
    """End a batch and the projects that run; what they have done can be exported."""
    from cli.batch_running import cancel_batch

    raise typer.Exit(cancel_batch(batch_id, json_output=json_output, profile=profile))
