"""The work of `start`: check everything, start the run, wait, write the output."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from cli.console import say
from cli.finish import come_back, finish, present
from cli.progress import progress_for_terminal
from cli.results import SIMULATED_NOTICE
from cli.session import run_async, settings_for
from cli.waiting import follow
from orchestrator.artifacts.export import check_target
from orchestrator.catalog import ROUTING, load_catalog
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.facade import Orchestrator
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.run_records import RunRecord, save_record
from orchestrator.client.spec import (
    DEFAULT_BUDGET,
    DEFAULT_CONCURRENCY,
    DEFAULT_TIME_LIMIT,
    ProjectRequest,
    build_spec,
    new_project_id,
    parse_budget,
    parse_concurrency,
    parse_text,
    parse_time_limit,
)
from orchestrator.contracts.names import workflow_id
from orchestrator.contracts.project import ProjectSpec, ProjectStatus, ProjectView
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class StartOptions:
    """The command line of `start`, as typed; None where a flag was not given."""

    project: str | None
    criteria: str | None
    budget: str | None
    time_limit: str | None
    concurrency: str | None
    output_dir: str | None
    file: str | None
    new_project: bool
    no_enhance: bool
    detach: bool
    ask: bool
    json_output: bool
    profile: str | None


def launch(options: StartOptions) -> int:
    """Run the project that `options` describe; returns the exit code. Raises OrchError."""
    settings = settings_for(options.profile)
    file = load_project_file(Path(options.file)) if options.file else ProjectFile()
    request = request_from(options, file)
    project_id = new_project_id(request.project)
    folder = Path(options.output_dir or file.output_dir or f"results/{project_id}").expanduser().absolute()
    check_target(folder, project_id)
    spec = build_spec(
        request,
        project_id=project_id,
        models=load_catalog(settings),
        routing=ROUTING,
        simulated_routing=SIMULATED_ROUTING,
        embedded=settings.embedded,
    )
    return run_async(_start(spec, settings, folder, options))


def request_from(options: StartOptions, file: ProjectFile) -> ProjectRequest:
    """Flags over file over defaults, checked. Raises UserInputError that names the flag."""
    ask = options.ask and sys.stdin.isatty()
    return ProjectRequest(
        project=_text("--project", options.project, file.project, "What is to be built" if ask else ""),
        criteria=_text("--criteria", options.criteria, file.criteria, "How to tell that it is done" if ask else ""),
        max_micro=_chosen("--budget", options.budget, file.budget, DEFAULT_BUDGET, parse_budget),
        time_limit_s=_chosen("--time-limit", options.time_limit, file.time_limit, DEFAULT_TIME_LIMIT, parse_time_limit),
        concurrency=_chosen(
            "--concurrency", options.concurrency, file.concurrency, DEFAULT_CONCURRENCY, parse_concurrency
        ),
    )


def _chosen(flag: str, raw: str | None, from_file: T | None, default: str, parse: Callable[[str], T]) -> T:
    if raw is None and from_file is not None:
        return from_file
    try:
        return parse(default if raw is None else raw)
    except ValueError as error:
        raise UserInputError(f"{flag}: {error}") from None


def _text(flag: str, raw: str | None, from_file: str | None, question: str) -> str:
    if raw is None and from_file is None:
        if not question:
            raise UserInputError(f"{flag} is missing: give it, or a project file with --file")
        raw = str(typer.prompt(question, err=True))
    return _chosen(flag, raw, from_file, "", parse_text)


async def _start(spec: ProjectSpec, settings: Settings, folder: Path, options: StartOptions) -> int:
    simulated = settings.embedded and not settings.vendors
    if simulated:
        say(f"No key is configured, so {SIMULATED_NOTICE}.")
    client = await Orchestrator.connect(settings, say)
    project_id = spec.project_id
    save_record(settings.home, RunRecord(project_id=project_id, output_dir=str(folder)))
    try:
        await client.start(spec)
    except asyncio.CancelledError:
        say(f"\nInterrupted at the start; 'orch-cli status {project_id}' tells whether the run began.")
        raise
    say(f"Started {project_id}.")
    if options.detach:
        present(await _first_view(client, spec), str(folder), json_output=options.json_output)
        say(come_back(project_id))
        return 0
    try:
        view = await follow(client, project_id, progress_for_terminal(), simulated_said=simulated)
    except asyncio.CancelledError:
        say(f"\nDetached: {project_id} goes on without this command. {come_back(project_id)}")
        raise
    return await finish(client, settings, view, folder, json_output=options.json_output)


async def _first_view(client: Orchestrator, spec: ProjectSpec) -> ProjectView:
    """The run that has just started; where no worker tells about it yet, what is known without one."""
    try:
        return await client.view(spec.project_id)
    except PrerequisiteError:
        return ProjectView(
            project_id=spec.project_id,
            workflow_id=workflow_id(spec.project_id),
            status=ProjectStatus.PLANNING,
            spent_micro=0,
            uncertain_micro=0,
            reserved_micro=0,
            max_micro=spec.max_micro,
            quality_score=None,
            calls=0,
            elapsed_s=0.0,
            simulated=False,
            reason="no worker has answered yet",
        )
