"""Commands about runs that exist: signatures only; the work is in `cli.running`, imported when needed."""

from typing import Annotated

import typer

from cli.options import Json, Profile, ProjectId

OutputDir = Annotated[
    str | None,
    typer.Option(
        "--output-dir",
        "-o",
        metavar="FOLDER",
        help="Where the software goes.  [default: as given to 'start']",
    ),
]


def status(project_id: ProjectId, json_output: Json = False, profile: Profile = None) -> None:
    """Show one run: status, spend, tasks."""
    from cli.running import show_status

    raise typer.Exit(show_status(project_id, json_output=json_output, profile=profile))


def watch(
    project_id: ProjectId, output_dir: OutputDir = None, json_output: Json = False, profile: Profile = None
) -> None:
    """Follow a run to its end and write its output; exits like 'start'."""
    from cli.running import watch_run

    raise typer.Exit(watch_run(project_id, output_dir, json_output=json_output, profile=profile))


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
    """Stop new model calls; those in flight finish. Paused time counts against no limit."""
    from cli.running import pause_run

    raise typer.Exit(pause_run(project_id, reason, json_output=json_output, profile=profile))


def resume(project_id: ProjectId, json_output: Json = False, profile: Profile = None) -> None:
    """Go on with a paused run."""
    from cli.running import resume_run

    raise typer.Exit(resume_run(project_id, json_output=json_output, profile=profile))


def cancel(project_id: ProjectId, json_output: Json = False, profile: Profile = None) -> None:
    """End a run; what is done can be exported."""
    from cli.running import cancel_run

    raise typer.Exit(cancel_run(project_id, json_output=json_output, profile=profile))


def export(
    project_id: ProjectId, output_dir: OutputDir = None, json_output: Json = False, profile: Profile = None
) -> None:
    """Write what a finished run produced to a folder."""
    from cli.running import export_run

    raise typer.Exit(export_run(project_id, output_dir, json_output=json_output, profile=profile))
