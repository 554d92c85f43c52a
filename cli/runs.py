"""Commands about runs that exist: signatures only; the work is in `cli.running`, imported when needed."""

from typing import Annotated

import typer

from cli.options import Approve, Json, NoInput, OnExhausted, OutputDir, Profile, ProjectId


def status(project_id: ProjectId, json_output: Json = False, profile: Profile = None) -> None:
    """Show one run: status, spend, tasks."""
    from cli.running import show_status

    raise typer.Exit(show_status(project_id, json_output=json_output, profile=profile))


def watch(
    project_id: ProjectId,
    output_dir: OutputDir = None,
    no_input: NoInput = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Follow a run to its end and write its output.

    Exits like 'start'.
    """
    from cli.running import watch_run

    raise typer.Exit(watch_run(project_id, output_dir, no_input=no_input, json_output=json_output, profile=profile))


def events(
    project_id: ProjectId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
    profile: Profile = None,
) -> None:
    """Print the event log of a run.

    Its tasks and calls, why a model was asked, what a vendor's trouble did, warnings, and who steered it when.
    """
    from cli.eventlog import show_events

    raise typer.Exit(show_events(project_id, follow=follow, json_output=json_output, profile=profile))


def list_projects(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most runs to list.")] = 50,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """List runs, newest first."""
    from cli.running import show_list

    raise typer.Exit(show_list(limit, json_output=json_output, profile=profile))


def pause(
    project_id: ProjectId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the report tells it.")] = "",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Stop new model calls; those in flight finish.

    Paused time counts against no limit. 'resume ID' goes on.
    """
    from cli.running import pause_run

    raise typer.Exit(pause_run(project_id, reason, json_output=json_output, profile=profile))


def resume(
    project_id: ProjectId,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", "-b", metavar="USD", help="New cap; what was spent before counts.  [default: as before]"
        ),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option("--time-limit", metavar="TIME", help="Longest run from now on.  [default: as before]"),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option("--concurrency", metavar="N", help="Tasks at a time, 1 to 64.  [default: as before]"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Redo also what has an answer below its target.")
    ] = False,
    approve: Approve = None,
    on_exhausted: OnExhausted = None,
    output_dir: OutputDir = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the run goes on.")] = False,
    no_input: NoInput = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Go on with a paused run, or one that ended too early.

    A paused run goes on, and the command returns. A run that ended as BUDGET_EXHAUSTED, TIMEOUT, CANCELLED,
    PARTIAL_SUCCESS or SYSTEM_FAILURE starts again where it stopped, and is followed to its end like 'start': finished
    tasks stay as they are and cost nothing, failed ones are done afresh, and what was spent counts against the budget.
    A run that ended as COMPLETED_DEGRADED needs --retry-failed; of a SUCCESS there is nothing to resume.
    """
    from cli.resuming import ResumeOptions, resume_run

    options = ResumeOptions(
        project_id=project_id,
        budget=budget,
        time_limit=time_limit,
        concurrency=concurrency,
        retry_failed=retry_failed,
        approve=approve,
        on_exhausted=on_exhausted,
        output_dir=output_dir,
        detach=detach,
        no_input=no_input,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(resume_run(options))


def cancel(project_id: ProjectId, json_output: Json = False, profile: Profile = None) -> None:
    """End a run; what is done can be exported."""
    from cli.running import cancel_run

    raise typer.Exit(cancel_run(project_id, json_output=json_output, profile=profile))


def export(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="A project, or a batch with all of its projects.")],
    output_dir: OutputDir = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Write what a finished run produced to a folder; of a batch, each project to FOLDER/NAME."""
    from cli.exporting import export_run

    raise typer.Exit(export_run(run_id, output_dir, json_output=json_output, profile=profile))


def report(
    project_id: ProjectId,
    open_page: Annotated[bool, typer.Option("--open", help="Show it in the web browser.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Write the report of a finished run as one HTML page, and print where it is.

    Graph of tasks, timeline, cost, scores, findings and audit.
    """
    from cli.reporting import show_report

    raise typer.Exit(show_report(project_id, open_page=open_page, json_output=json_output, profile=profile))
