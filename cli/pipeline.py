"""`pipeline`: pipelines of model calls from YAML. Signatures only; the work is imported when it is needed."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json, Profile

app = typer.Typer(help="Pipelines of model calls, declared in YAML.", no_args_is_help=True, rich_markup_mode=None)

Source = Annotated[str, typer.Argument(metavar="FILE", help="YAML file, or the name of a template.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as printed by 'pipeline run' and 'list'.")]


@app.command("validate")
def validate(source: Source, json_output: Json = False) -> None:
    """Check a pipeline without running it; all errors at once."""
    from cli.pipeline_files import validate_file

    raise typer.Exit(validate_file(source, json_output=json_output))


@app.command("run")
def run(
    source: Source,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", metavar="NAME=VALUE|@JSON", help="An input, or a JSON file of inputs; repeatable."
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", "-b", metavar="USD", help="Most to spend.  [default: the file's, or none]")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Policies that say which models may be asked.")
    ] = None,
    mock: Annotated[
        bool, typer.Option("--mock", help="Ask no model: mock answers, and made-up inputs where some are missing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the run has begun.")] = False,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """Run a pipeline and print its output.

    Exits 0 for SUCCESS, 4 if some steps have an output and another failed, 5 for the budget, 6 for time, 7 if nothing
    came of it, 8 if it was cancelled, 2 for a bad file or bad inputs.
    """
    from cli.pipeline_running import RunOptions, run_pipeline

    options = RunOptions(
        source=source,
        inputs=tuple(inputs or ()),
        budget=budget,
        policy=policy,
        mock=mock,
        detach=detach,
        json_output=json_output,
        profile=profile,
    )
    raise typer.Exit(run_pipeline(options))


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most runs to list.")] = 50,
    json_output: Json = False,
    profile: Profile = None,
) -> None:
    """List runs of pipelines, newest first."""
    from cli.pipeline_running import show_runs

    raise typer.Exit(show_runs(limit, json_output=json_output, profile=profile))


@app.command("show")
def show(
    source: Source,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid diagram.")] = False,
    json_output: Json = False,
) -> None:
    """Show a pipeline: its inputs, and its steps as a graph."""
    from cli.pipeline_files import show_file

    raise typer.Exit(show_file(source, mermaid=mermaid, json_output=json_output))


@app.command("trace")
def trace(
    run_id: RunId,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown instead of JSON.")] = False,
    profile: Profile = None,
) -> None:
    """Print what each step of a run did: model, attempts, time, tokens, cost, previews."""
    from cli.pipeline_running import show_trace

    raise typer.Exit(show_trace(run_id, markdown=markdown, profile=profile))


@app.command("templates")
def templates(json_output: Json = False) -> None:
    """List the pipelines that come along."""
    from cli.pipeline_files import show_templates

    raise typer.Exit(show_templates(json_output=json_output))


@app.command("init")
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new pipeline; the file is NAME.yaml.")],
    template: Annotated[
        str, typer.Option("--template", "-t", metavar="TEMPLATE", help="What to start from; see 'pipeline templates'.")
    ] = "research_and_summarize",
) -> None:
    """Write a new pipeline to start from."""
    from cli.pipeline_files import init_file

    raise typer.Exit(init_file(name, template))
