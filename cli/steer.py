"""Commands that change a live run: signatures only; the work is in `cli.steering`, imported when needed."""

from typing import Annotated

import typer

from cli.options import Json, Profile, ProjectId

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Task id, as 'status' shows it, such as t01.")]


def budget(
    project_id: ProjectId,
    max_usd: Annotated[
        str | None,
        typer.Option("--max-usd", metavar="USD", help="New cap of the whole run; what is spent counts against it."),
    ] = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Show the budget of a run, or set a new one.

    Shows what was spent, on what, and what is left; --max-usd raises or lowers the cap of a live run.
    A run that waits for more budget (--on-exhausted pause) goes on by itself once the cap is raised. A run that
    has ended gets a new cap with 'resume ID --budget USD'.
    """
    from cli.budgeting import budget_of_run

    raise typer.Exit(budget_of_run(project_id, max_usd, json_output=json_output, profile=profile))


def time_limit(
    project_id: ProjectId,
    limit: Annotated[
        str, typer.Argument(metavar="TIME", help="From the run's start, such as 90m, 2h or 5400 (seconds).")
    ],
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Give a live run another time limit. Time that it was paused does not count."""
    from cli.steering import set_time_limit

    raise typer.Exit(set_time_limit(project_id, limit, json_output=json_output, profile=profile))


def concurrency(
    project_id: ProjectId,
    tasks: Annotated[str, typer.Argument(metavar="N", help="Tasks at a time, 1 to 64.")],
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Set how many tasks of a live run are done at a time."""
    from cli.steering import set_concurrency

    raise typer.Exit(set_concurrency(project_id, tasks, json_output=json_output, profile=profile))


def retry(project_id: ProjectId, task: TaskId, json_output: Json = False, profile: Profile = None) -> None:
    """Start a finished task of a live run afresh.

    Tasks that were skipped because of it come back. What the task had stays where the retry gives nothing better. A run
    that has ended tries its failed tasks again with 'resume ID'.
    """
    from cli.steering import retry_task

    raise typer.Exit(retry_task(project_id, task, json_output=json_output, profile=profile))


def skip(project_id: ProjectId, task: TaskId, json_output: Json = False, profile: Profile = None) -> None:
    """Do nothing more for a task of a live run.

    The task must not be finished. An answer that it has stays; what depends on it is left out. 'retry ID TASK' takes
    it up again, with what depends on it.
    """
    from cli.steering import skip_task

    raise typer.Exit(skip_task(project_id, task, json_output=json_output, profile=profile))


def override_model(
    project_id: ProjectId,
    task: TaskId,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="vendor:model, as 'models' lists it, or its alias.")],
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="STAGE", help="Only for generate, critique, revise, evaluate or repair."),
    ] = None,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Ask another model first for a task of a live run.

    From the task's next call on. Where the model cannot be used, the others follow as usual.
    """
    from cli.steering import override_model_of_task

    raise typer.Exit(override_model_of_task(project_id, task, model, stage, json_output=json_output, profile=profile))


def guide(
    project_id: ProjectId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the models are to be told, in quotes.")],
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="Only for this task.  [default: all tasks]")] = "",
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Tell the models of a live run something.

    Every later call is given the text. Example: orch-cli guide ID "Use the standard library only" --task t03
    """
    from cli.steering import guide_run

    raise typer.Exit(guide_run(project_id, text, task, json_output=json_output, profile=profile))
