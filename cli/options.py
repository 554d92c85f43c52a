"""Options that several commands share. Nothing heavy is imported here: `--help` must be instant."""

from typing import Annotated

import typer

ProjectId = Annotated[str, typer.Argument(metavar="ID", help="Project id, as printed by 'start' and 'list'.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="Profile of the Temporal TOML configuration to connect with."),
]
Team = Annotated[
    str | None,
    typer.Option("--team", metavar="NAME", help="Whose project it is: teams take turns where a cluster is busy."),
]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; go on without an answer, or fail.")]
OutputDir = Annotated[
    str | None,
    typer.Option(
        "--output-dir",
        "-o",
        metavar="FOLDER",
        help="Where the software goes.  [default: as given to 'start']",
    ),
]
Webhook = Annotated[
    str | None,
    typer.Option("--webhook", metavar="URL", help="The address that gets a signed message once the run has ended."),
]
OnFinish = Annotated[
    str | None,
    typer.Option(
        "--on-finish", metavar="COMMAND", help="Absolute program and arguments that the worker runs at the end."
    ),
]
AppType = Annotated[
    str | None,
    typer.Option(
        "--app-type", metavar="TYPE", help="The kind of software, such as fastapi or cli.  [default: advised]"
    ),
]
Approve = Annotated[
    str | None,
    typer.Option("--approve", metavar="plan", help="'plan': wait until somebody has approved the plan."),
]
OnExhausted = Annotated[
    str | None,
    typer.Option(
        "--on-exhausted",
        metavar="end|pause",
        help="What to do when the budget is used up: end, or pause until it is raised.  [default: end]",
    ),
]
