"""Commands that remove what ended runs left: signatures only; the work is in `cli.removing`."""

from typing import Annotated

import typer

from cli.options import Json, Profile

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where stdin is no terminal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")]


def delete(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a project, a pipeline's run or a batch.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Remove an ended run for good.

    Its artifacts, its journal and, where the server lets us, its history; of a batch, its projects too.
    What another run uses as well stays. A running one is refused.
    """
    from cli.removing import delete_run

    raise typer.Exit(delete_run(run_id, yes=yes, dry_run=dry_run, json_output=json_output, profile=profile))


def collect(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Runs that ended so long ago: 30d, 12h, 0d for all.")
    ],
    yes: Yes = False,
    dry_run: DryRun = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Remove ended runs of an age, and artifacts that nothing uses.

    What was written within the last two days stays while anything runs, and five minutes otherwise.
    """
    from cli.removing import collect_garbage

    raise typer.Exit(collect_garbage(older_than, yes=yes, dry_run=dry_run, json_output=json_output, profile=profile))
