"""The work of `start`: check everything, start the run, wait, write the output."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import typer

from cli.attach import Earlier, exporter_of
from cli.beginning import Beginning
from cli.delivering import wanted_delivery
from cli.dialogue import can_ask
from cli.dryrun import DryRun, parse_dry_run, plan_only, show_estimate
from cli.resuming import ResumeOptions, resume_run
from cli.session import run_async, settings_for
from cli.steering import parsed
from orchestrator.artifacts.export import check_target
from orchestrator.catalog import ROUTING, catalog_here
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.deliveries import local_delivery
from orchestrator.client.model_names import model_resolver
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.resuming import ResumeChanges
from orchestrator.client.spec import (
    DEFAULT_BUDGET,
    DEFAULT_CONCURRENCY,
    DEFAULT_TIME_LIMIT,
    ProjectRequest,
    build_spec,
    new_project_id,
    parse_app_type,
    parse_approve,
    parse_budget,
    parse_concurrency,
    parse_on_exhausted,
    parse_project_id,
    parse_team,
    parse_text,
    parse_time_limit,
)
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.apps import ArchitectureWishes, EnhanceMode
from orchestrator.domain.errors import UserInputError

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
    project_id: str | None
    team: str | None
    new_project: bool
    resume: str | None
    approve: str | None
    on_exhausted: str | None
    dry_run: str | None
    app_type: str | None
    no_enhance: bool
    no_advise: bool
    webhook: str | None
    on_finish: str | None
    detach: bool
    no_input: bool
    json_output: bool
    profile: str | None


def launch(options: StartOptions) -> int:
    """Run the project that `options` describe; returns the exit code. Raises OrchError."""
    if options.resume is not None:
        return resume_run(_resume_options(options))
    dry_run = _dry_run(options)
    settings = settings_for(options.profile)
    catalog = cache(lambda: catalog_here(settings))
    file = load_project_file(Path(options.file), model_resolver(catalog)) if options.file else ProjectFile()
    request = request_from(options, file)
    if dry_run is None:
        request = request.model_copy(update={"delivery": local_delivery(request.delivery, settings)})
    named = parsed("--project-id", parse_project_id, options.project_id) if options.project_id else file.project_id
    project_id = named or new_project_id(request.project, readable=settings.readable_ids)
    new_project = options.new_project or bool(file.new_project) or dry_run is not None
    chosen = options.output_dir or file.output_dir
    folder = Path(chosen or f"results/{project_id}").expanduser().absolute()
    # The folder may hold what the very project wrote that is about to be resumed.
    if dry_run is not DryRun.ESTIMATE:
        check_target(folder, project_id if new_project else exporter_of(folder) or project_id)
    spec = build_spec(
        request,
        project_id=project_id,
        models=catalog().models,
        routing=ROUTING,
        simulated_routing=SIMULATED_ROUTING,
        embedded=settings.embedded,
    )
    if dry_run is DryRun.ESTIMATE:
        return show_estimate(spec, settings, json_output=options.json_output)
    if dry_run is DryRun.PLAN:
        return plan_only(spec, file.files, settings, folder, json_output=options.json_output)
    start = Beginning(
        spec=spec,
        files=file.files,
        settings=settings,
        folder=folder,
        named=named is not None,
        no_input=options.no_input,
        json_output=options.json_output,
        detach=options.detach,
    )
    earlier = None if new_project else Earlier(_explicit(options, file, request), chosen)
    return run_async(start.run(earlier))


def request_from(options: StartOptions, file: ProjectFile) -> ProjectRequest:
    """Flags over file over defaults, checked. Raises UserInputError that names the flag."""
    ask = not options.no_input and sys.stdin.isatty()
    return ProjectRequest(
        project=_text("--project", options.project, file.project, "What is to be built" if ask else ""),
        criteria=_text("--criteria", options.criteria, file.criteria, "How to tell that it is done" if ask else ""),
        max_micro=_chosen("--budget", options.budget, file.budget, DEFAULT_BUDGET, parse_budget),
        time_limit_s=_chosen("--time-limit", options.time_limit, file.time_limit, DEFAULT_TIME_LIMIT, parse_time_limit),
        concurrency=_chosen(
            "--concurrency", options.concurrency, file.concurrency, DEFAULT_CONCURRENCY, parse_concurrency
        ),
        policies=file.policies,
        overrides=file.models,
        plan_only=options.dry_run is not None,
        approve_plan=_chosen("--approve", options.approve, bool(file.approve), "", parse_approve),
        on_exhausted=_chosen(
            "--on-exhausted", options.on_exhausted, file.on_exhausted, OnExhausted.END.value, parse_on_exhausted
        ),
        enhance=_enhance(options, file),
        advise=file.advise is not False and not options.no_advise,
        wishes=_wishes(options, file),
        dependencies=file.dependencies,
        validators=file.validators,
        commands=file.commands,
        quality_targets=file.quality_targets,
        delivery=wanted_delivery(file.delivery, options.webhook, options.on_finish),
        team=parsed("--team", parse_team, options.team) if options.team else file.team or "",
    )


def _enhance(options: StartOptions, file: ProjectFile) -> EnhanceMode:
    """As somebody said; else a person at a terminal chooses, and where nobody can be asked, all are applied.

    A dry run asks nobody.
    """
    wanted = EnhanceMode.OFF if options.no_enhance else file.enhance
    if wanted is EnhanceMode.ASK and options.dry_run is not None:
        return EnhanceMode.ALL
    if wanted is not None:
        return wanted
    waits = can_ask(options.no_input) and not options.detach and options.dry_run is None
    return EnhanceMode.ASK if waits else EnhanceMode.ALL


def _wishes(options: StartOptions, file: ProjectFile) -> ArchitectureWishes:
    if options.app_type is None:
        return file.wishes
    return file.wishes.model_copy(update={"app_type": parsed("--app-type", parse_app_type, options.app_type)})


def _dry_run(options: StartOptions) -> DryRun | None:
    """What `--dry-run` asks for. Raises UserInputError for a flag that it makes no sense with."""
    if options.dry_run is None:
        return None
    if options.detach:
        raise UserInputError("--detach: cannot be given with --dry-run, which waits for what it shows")
    return parsed("--dry-run", parse_dry_run, options.dry_run)


def _explicit(options: StartOptions, file: ProjectFile, request: ProjectRequest) -> ResumeChanges:
    """What the command line or the file says about the run, defaults left out: that is what a resume changes."""
    return ResumeChanges(
        max_micro=request.max_micro if options.budget or file.budget else None,
        time_limit_s=request.time_limit_s if options.time_limit or file.time_limit else None,
        concurrency=request.concurrency if options.concurrency or file.concurrency else None,
        approve_plan=request.approve_plan or None,
        on_exhausted=request.on_exhausted if options.on_exhausted or file.on_exhausted else None,
    )


def _resume_options(options: StartOptions) -> ResumeOptions:
    """`start --resume ID` as `resume ID`. Raises UserInputError for flags that describe a new project."""
    given = {
        "--project": options.project,
        "--criteria": options.criteria,
        "--file": options.file,
        "--project-id": options.project_id,
        "--team": options.team,
        "--new-project": options.new_project,
        "--app-type": options.app_type,
        "--no-enhance": options.no_enhance,
        "--no-advise": options.no_advise,
        "--webhook": options.webhook,
        "--on-finish": options.on_finish,
        "--dry-run": options.dry_run is not None,
    }
    for flag, value in given.items():
        if value:
            raise UserInputError(f"{flag}: cannot be given with --resume, which goes on with a project as it is")
    return ResumeOptions(
        project_id=options.resume or "",
        budget=options.budget,
        time_limit=options.time_limit,
        concurrency=options.concurrency,
        retry_failed=False,
        approve=options.approve,
        on_exhausted=options.on_exhausted,
        output_dir=options.output_dir,
        detach=options.detach,
        no_input=options.no_input,
        json_output=options.json_output,
        profile=options.profile,
    )


def _chosen(flag: str, raw: str | None, from_file: T | None, default: str, parse: Callable[[str], T]) -> T:
    if raw is None and from_file is not None:
        return from_file
    return parsed(flag, parse, default if raw is None else raw)


def _text(flag: str, raw: str | None, from_file: str | None, question: str) -> str:
    if raw is None and from_file is None:
        if not question:
            raise UserInputError(f"{flag} is missing: give it, or a project file with --file")
        raw = str(typer.prompt(question, err=True))
    return _chosen(flag, raw, from_file, "", parse_text)
