"""`start`: run a project. The signature only; the work is in `cli.launch`, imported when it is needed."""

from typing import Annotated

import typer

from cli.options import Approve, AppType, Json, NoInput, OnExhausted, OnFinish, Profile, Team, Webhook


def start(
    project: Annotated[str | None, typer.Option("--project", "-p", metavar="TEXT", help="What to build.")] = None,
    criteria: Annotated[
        str | None, typer.Option("--criteria", "-c", metavar="TEXT", help="How to tell that it is done.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", "-b", metavar="USD", help="Most to spend.  [default: 8.0]")
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option("--time-limit", metavar="TIME", help="Longest run, such as 90m, 1h30m or 5400.  [default: 90m]"),
    ] = None,
    concurrency: Annotated[
        str | None,
        typer.Option("--concurrency", metavar="N", help="Tasks at a time, 1 to 64.  [default: 8]"),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option("--output-dir", "-o", metavar="FOLDER", help="Where the software goes.  [default: results/ID]"),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="FILE", help="Project file, YAML or JSON; flags override it."),
    ] = None,
    project_id: Annotated[
        str | None,
        typer.Option("--project-id", metavar="ID", help="The project's id; one that exists is gone on with."),
    ] = None,
    team: Team = None,
    new_project: Annotated[
        bool, typer.Option("--new-project", "-N", help="Start afresh, whatever ran before.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="ID", help="Go on with this project instead, like 'resume ID'."),
    ] = None,
    approve: Approve = None,
    on_exhausted: OnExhausted = None,
    dry_run: Annotated[
        str | None,
        typer.Option(
            "--dry-run",
            metavar="[=plan]",
            help="Say what it may cost, and spend nothing. With =plan: pay for the plan, show it, and stop.",
        ),
    ] = None,
    app_type: AppType = None,
    no_enhance: Annotated[
        bool, typer.Option("--no-enhance", help="Take the project text as it is written: ask for no suggestions.")
    ] = False,
    no_advise: Annotated[
        bool, typer.Option("--no-advise", help="Plan without advice on the architecture, and without a scaffold.")
    ] = False,
    webhook: Webhook = None,
    on_finish: OnFinish = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the run has started.")] = False,
    no_input: NoInput = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Build a project, and write the software to a folder.

    Suggests a better text (chosen one by one on a terminal, all applied elsewhere) and an architecture, plans it,
    writes it, has it reviewed and checked. A project with the same text and criteria that is still running
    is followed, one that ended before it was complete is resumed, and similar ones are offered; --new-project starts
    afresh.

    Exit codes: 0 SUCCESS, 1 anything unexpected, 2 bad input, 3 COMPLETED_DEGRADED, 4 PARTIAL_SUCCESS,
    5 BUDGET_EXHAUSTED, 6 TIMEOUT, 7 SYSTEM_FAILURE, 8 CANCELLED, 130 detached by Ctrl-C.
    """
    from cli.launch import StartOptions, launch

    options = StartOptions(
        project=project,
        criteria=criteria,
        budget=budget,
        time_limit=time_limit,
        concurrency=concurrency,
        output_dir=output_dir,
        file=file,
        project_id=project_id,
        team=team,
        new_project=new_project,
        resume=resume,
        approve=approve,
        on_exhausted=on_exhausted,
        dry_run=dry_run,
        app_type=app_type,
        no_enhance=no_enhance,
        no_advise=no_advise,
        webhook=webhook,
        on_finish=on_finish,
        detach=detach,
        no_input=no_input,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(launch(options))
