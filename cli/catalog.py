"""`models`: which models there are, what they cost, which can be used here, and whether they answer."""

from typing import Annotated

import typer

from cli.options import Json

app = typer.Typer(
    help="List models with prices and limits, and why one cannot be used.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def models(context: typer.Context, json_output: Json = False) -> None:
    """List models with prices and limits, and why one cannot be used."""
    if context.invoked_subcommand is None:
        from cli.pricelist import show_models

        raise typer.Exit(show_models(json_output=json_output))


@app.command("check")
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ids, names or aliases; all usable models if none.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    json_output: Json = False,
) -> None:
    """Ask each usable model one minimal question; the cost is shown first."""
    from cli.modelcheck import check_models

    raise typer.Exit(check_models(names or [], yes=yes, json_output=json_output))
