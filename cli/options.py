"""Options that several commands share. Nothing heavy is imported here: `--help` must be instant."""

from typing import Annotated

import typer

ProjectId = Annotated[str, typer.Argument(metavar="ID", help="Project id, as printed by 'start' and 'list'.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="Profile of the Temporal TOML configuration to connect with."),
]
