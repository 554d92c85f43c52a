"""`validate`: check a project file. The signature only; the work is in `cli.validating`, imported when it is needed."""

from typing import Annotated

import typer

from cli.options import Json


def validate(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Project file, YAML or JSON.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of project files, for editors.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Check a project file, and start nothing.

    Says everything that is wrong with it at once, each with line, column and the fix; exit code 2 then, else 0.
    """
    from cli.validating import show_schema, validate_file

    raise typer.Exit(show_schema(file) if schema else validate_file(file, json_output=json_output))
