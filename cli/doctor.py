"""`doctor`: what is missing on this machine, and how to get it."""

import typer

from cli.options import Json, Profile


def doctor(json_output: Json = False, profile: Profile = None) -> None:
    """Check this machine; exits 0 if a project can be run."""
    from cli.checkup import show_checks

    raise typer.Exit(show_checks(json_output=json_output, profile=profile))
