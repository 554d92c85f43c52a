"""`models`: which models there are, what they cost, and which can be used here."""

import typer

from cli.options import Json


def models(json_output: Json = False) -> None:
    """List models with prices and limits, and why one cannot be used."""
    from cli.pricelist import show_models

    raise typer.Exit(show_models(json_output=json_output))
