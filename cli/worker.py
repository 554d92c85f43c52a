"""`worker`: run a worker by hand, for a Temporal cluster."""

import os
import sys

import typer

from cli.options import Profile

app = typer.Typer(help="Workers, for a Temporal cluster.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def worker() -> None:
    """Workers, for a Temporal cluster."""


@app.command("run")
def run(profile: Profile = None) -> None:
    """Serve all queues until SIGTERM or Ctrl-C; calls in flight are finished."""
    if profile:
        os.environ["TEMPORAL_PROFILE"] = profile
    # -P: a folder named `workers` where the user stands must not be taken for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "workers.main"])
