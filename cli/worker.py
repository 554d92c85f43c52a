"""`worker`: run a worker by hand, for a Temporal cluster."""

import os
import sys
from typing import Annotated

import typer

from cli.options import Json, Profile

app = typer.Typer(help="Workers, for a Temporal cluster.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def worker() -> None:
    """Workers, for a Temporal cluster."""


@app.command("run")
def run(
    queues: Annotated[
        str | None,
        typer.Option(
            "--queues",
            metavar="LIST",
            help="What to serve: workflows, tools, models or models:VENDOR, separated by commas.  "
            "[default: everything that this machine has keys for]",
        ),
    ] = None,
    build_id: Annotated[
        str | None,
        typer.Option(
            "--build-id", metavar="ID", help="Version of the code: a run stays with the one that it began with."
        ),
    ] = None,
    profile: Profile = None,
) -> None:
    """Serve the queues until SIGTERM or Ctrl-C; calls in flight are finished.

    Only models need keys, only tools need a sandbox: processes that serve one of them can be kept apart.
    """
    if profile:
        os.environ["TEMPORAL_PROFILE"] = profile
    given = [*(["--queues", queues] if queues else []), *(["--build-id", build_id] if build_id else [])]
    # -P: a folder named `workers` where the user stands must not be taken for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "workers.main", *given])


@app.command("promote")
def promote(
    build_id: Annotated[str, typer.Argument(metavar="ID", help="As given to 'worker run --build-id'.")],
    profile: Profile = None,
) -> None:
    """Give all new runs to the workers of this version; those under way stay with theirs."""
    from cli.versions import promote_version

    raise typer.Exit(promote_version(build_id, profile))


@app.command("versions")
def versions(json_output: Json = False, profile: Profile = None) -> None:
    """Show which version gets new runs, and which ones still have some."""
    from cli.versions import show_versions

    raise typer.Exit(show_versions(profile, json_output=json_output))
