"""The work of `pipeline run`, `list` and `trace`."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from cli.console import columns, say, show, show_json
from cli.pipeline_files import read_pipeline
from cli.pipeline_results import trace_of
from cli.pipeline_runs import show_run, watch_pipeline
from cli.results import SIMULATED_NOTICE
from cli.session import checked_id, run_async, settings_for
from cli.steering import parsed
from orchestrator.catalog import catalog_here, load_catalog
from orchestrator.client.facade import OrchClient
from orchestrator.client.model_names import model_resolver
from orchestrator.client.pipeline_spec import build_run
from orchestrator.client.pipelines import PipelineRow
from orchestrator.client.project_policies import read_policies
from orchestrator.client.spec import parse_budget
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.policy import Policy
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

MAX_INPUT_BYTES = 10_000_000


@dataclass(frozen=True)
class RunOptions:
    """The command line of `pipeline run`, as typed."""

    source: str
    inputs: tuple[str, ...]
    budget: str | None
    policy: Path | None
    mock: bool
    detach: bool
    json_output: bool
    profile: str | None


def run_pipeline(options: RunOptions) -> int:
    """Run a pipeline; returns the exit code. Raises OrchError."""
    settings = settings_for(options.profile)
    models = load_catalog(settings)
    pipeline = read_pipeline(options.source, None if options.mock else models)
    spec = build_run(
        pipeline,
        parse_inputs(options.inputs),
        models=models,
        embedded=settings.embedded,
        readable_id=settings.readable_ids,
        max_micro=None if options.budget is None else parsed("--budget", parse_budget, options.budget),
        mock=options.mock,
        policies=() if options.policy is None else _policies(options.policy, settings),
    )

    async def command() -> int:
        if settings.embedded and not settings.vendors and not options.mock:
            say(f"No key is configured, so {SIMULATED_NOTICE}.")
        client = await OrchClient.connect(settings, say)
        run_id = await client.pipelines.start(spec)
        say(f"Started {run_id}.")
        if options.detach:
            return await show_run(client, run_id, json_output=options.json_output)
        return await watch_pipeline(client, run_id, json_output=options.json_output)

    return run_async(command())


def _policies(file: Path, settings: Settings) -> tuple[Policy, ...]:
    return tuple(read_policies(file, model_resolver(cache(lambda: catalog_here(settings)))))


def parse_inputs(given: tuple[str, ...]) -> dict[str, JsonValue]:
    """Inputs from `name=value` and `@file.json`; later ones win. Raises UserInputError."""
    found: dict[str, JsonValue] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if each.startswith("@"):
            found |= _file_of_inputs(Path(each[1:]).expanduser())
        elif equals and name.strip():
            found[name.strip()] = value
        else:
            raise UserInputError(f"-i: must be NAME=VALUE or @FILE; got {one_line(each, 60)!r}")
    return found


def _file_of_inputs(path: Path) -> dict[str, JsonValue]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            raise UserInputError(f"-i @{path}: larger than {MAX_INPUT_BYTES} bytes")
        value = json.loads(data)
    except OSError as error:
        raise UserInputError(f"-i @{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UserInputError(f"-i @{path}: is no JSON: {one_line(str(error))}") from None
    if not isinstance(value, dict):
        raise UserInputError(f"-i @{path}: must be a JSON object of inputs")
    return value


def show_runs(limit: int, *, json_output: bool, profile: str | None) -> int:
    """List runs, newest first."""

    async def command(client: OrchClient) -> int:
        rows = await client.pipelines.rows(limit)
        if json_output:
            show_json({"runs": [row.model_dump(mode="json") for row in rows]})
        elif not rows:
            say("No runs yet.")
        else:
            head = ("run", "status", "started", "spent", "steps", "pipeline")
            for line in columns([head, *(_row(row) for row in rows)], indent=""):
                show(line)
        return 0

    return _connected(command, profile)


def show_trace(run_id: str, *, markdown: bool, profile: str | None) -> int:
    """Print what each step of a run did."""
    checked_id(run_id)

    async def command(client: OrchClient) -> int:
        trace = trace_of(await client.pipelines.view(run_id))
        if markdown:
            show(trace.to_markdown())
        else:
            show_json(trace.to_dict())
        return 0

    return _connected(command, profile)


def _connected(command: Callable[[OrchClient], Awaitable[int]], profile: str | None) -> int:
    settings = settings_for(profile)

    async def connected() -> int:
        return await command(await OrchClient.connect(settings, say))

    return run_async(connected())


def _row(row: PipelineRow) -> tuple[str, ...]:
    return (
        one_line(row.run_id, 60),
        row.status,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started_s)),
        f"${row.spent_usd:.4f}",
        f"{row.steps_done}/{row.steps_total}",
        one_line(row.pipeline, 60),
    )
