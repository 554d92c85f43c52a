"""`server`: the Temporal server and the worker that this machine runs by itself."""

import typer

from cli.options import Json

app = typer.Typer(help="The local Temporal server and its worker.", no_args_is_help=True, rich_markup_mode=None)


@app.command("up")
def up(json_output: Json = False) -> None:
    """Start server and worker, unless they run already."""
    from cli.serving import server_up

    raise typer.Exit(server_up(json_output=json_output))


@app.command("status")
def status(json_output: Json = False) -> None:
    """Show addresses, the Web UI and process ids."""
    from cli.serving import server_status

    raise typer.Exit(server_status(json_output=json_output))


@app.command("down")
def down(json_output: Json = False) -> None:
    """Stop worker and server. Runs that are under way go on when they are started again."""
    from cli.serving import server_down

    raise typer.Exit(server_down(json_output=json_output))
