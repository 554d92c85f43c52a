"""Commands about what comes before the plan: signatures only; the work is imported when needed."""

from typing import Annotated

import typer

from cli.options import AppType, Json, Profile, ProjectId


def advise(
    project: Annotated[str, typer.Option("--project", "-p", metavar="TEXT", help="What is to be built.")],
    criteria: Annotated[
        str, typer.Option("--criteria", "-c", metavar="TEXT", help="How to tell that it is done.")
    ] = "",
    app_type: AppType = None,
    budget: Annotated[str, typer.Option("--budget", "-b", metavar="USD", help="Most to spend.")] = "0.5",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Choose an architecture for a project, and build nothing.

    Asks one model for the kind of software, its structure, stack, entry point and commands. 'resume ID' builds the
    project as it was advised; give it the budget that building takes.
    """
    from cli.advising import AdviceOptions, show_advice

    options = AdviceOptions(project, criteria, app_type, budget, json_output=json_output, profile=profile)
    raise typer.Exit(show_advice(options))


def suggestions(
    project_id: ProjectId,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="IDS", help="Go on with these, such as s1,s3; 'all' or 'none' of them."),
    ] = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Show the suggestions for a project text that wait for a choice, or choose.

    For runs that were started on a terminal and left there: elsewhere all suggestions are applied.
    """
    from cli.choosing import suggestions_of_run

    raise typer.Exit(suggestions_of_run(project_id, accept, json_output=json_output, profile=profile))
