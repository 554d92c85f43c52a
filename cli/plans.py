"""Commands about the plan: signatures only; the work is in `cli.planning`, imported when needed."""

from typing import Annotated

import typer

from cli.options import Json, Profile, ProjectId


def plan(
    project_id: ProjectId,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print YAML with all texts, to edit and hand back: 'approve ID --plan FILE'.")
    ] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Show the plan of a run, or print it to be edited.

    Shows the tasks, what each comes after, its files and its checks.
    """
    from cli.planning import show_plan

    raise typer.Exit(show_plan(project_id, yaml=yaml, json_output=json_output, profile=profile))


def approve(
    project_id: ProjectId,
    plan_file: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", help="An edited plan, as 'plan ID --yaml' prints it, to go on with."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on the terminal.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Approve the plan of a run that waits for it.

    For runs of 'start --approve plan'. Shows the plan; on a terminal asks before it approves. To change the plan:
    'plan ID --yaml > plan.yaml', edit, 'approve ID --plan plan.yaml'. A paused run takes an edited plan too: tasks
    that have begun must stay as they are.
    """
    from cli.planning import approve_plan

    raise typer.Exit(approve_plan(project_id, plan_file, ask=not yes, json_output=json_output, profile=profile))
