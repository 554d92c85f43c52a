"""The work of `start`: check everything, start the run, wait, write the output."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import typer

from cli.attach import Earlier, exporter_of, known_project
from cli.console import say
from cli.delivering import wanted_delivery
from cli.dialogue import can_ask
from cli.dryrun import DryRun, parse_dry_run, plan_only, show_estimate
from cli.finish import come_back, present
from cli.following import Waiting, follow_to_end
from cli.results import SIMULATED_NOTICE
from cli.resuming import ResumeOptions, first_view, resume_run
from cli.session import run_async, settings_for
from cli.steering import parsed
from orchestrator.artifacts.export import check_target
from orchestrator.catalog import ROUTING, catalog_here
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.deliveries import local_delivery
from orchestrator.client.facade import Orchestrator
from orchestrator.client.model_names import model_resolver
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.resuming import ResumeChanges
from orchestrator.client.run_records import RunRecord, save_record
from orchestrator.client.similar import Similar
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
from orchestrator.contracts.names import workflow_id
from orchestrator.contracts.project import OnExhausted, ProjectSpec, ProjectStatus, ProjectView
from orchestrator.domain.apps import ArchitectureWishes, EnhanceMode
from orchestrator.domain.errors import UserInputError
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
    start = _Start(spec, file.files, settings, folder, options, named=named is not None)
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


@dataclass(frozen=True)
class _Start:
    """A checked start: the run's input, the user's own files, where the output goes; `named`: the user chose the id."""

    spec: ProjectSpec
    files: Mapping[str, bytes]
    settings: Settings
    folder: Path
    options: StartOptions
    named: bool

    async def run(self, earlier: Earlier | None) -> int:
        """Start the project, or go on with an `earlier` one like it where there is one; returns the exit code."""
        simulated = self.settings.embedded and not self.settings.vendors
        if simulated:
            say(f"No key is configured, so {SIMULATED_NOTICE}.")
        client = await Orchestrator.connect(self.settings, say)
        waiting = Waiting(
            folder=self.folder,
            no_input=self.options.no_input,
            json_output=self.options.json_output,
            simulated_said=simulated,
        )
        texts = self.spec.project_id, self.spec.project, self.spec.criteria
        known = await known_project(client, *texts) if self.named else None
        if known is not None and earlier is None:
            raise UserInputError(f"--new-project: {known.project_id} exists already; give another --project-id")
        if earlier is not None:
            found = known or await self._like_it(earlier, client)
            if found is not None:
                return await earlier.go_on(client, self.settings, found, waiting, detach=self.options.detach)
            check_target(self.folder, self.spec.project_id)
        await self._begin(client)
        if self.options.detach:
            view = await first_view(client, _unseen(self.spec))
            present(view, str(self.folder), json_output=waiting.json_output)
            say(come_back(self.spec.project_id))
            return 0
        return await follow_to_end(client, self.settings, self.spec.project_id, waiting)

    async def _like_it(self, earlier: Earlier, client: Orchestrator) -> Similar | None:
        if self.named:
            return None  # this id is what the user wants
        return await earlier.find(client, self.spec.project, self.spec.criteria, no_input=self.options.no_input)

    async def _begin(self, client: Orchestrator) -> None:
        project_id = self.spec.project_id
        save_record(self.settings.home, RunRecord(project_id=project_id, output_dir=str(self.folder)))
        try:
            await client.start(self.spec, self.files)
        except asyncio.CancelledError:
            say(f"\nInterrupted at the start; 'orch-cli status {project_id}' tells whether the run began.")
            raise
        say(f"Started {project_id}.")


def _unseen(spec: ProjectSpec) -> ProjectView:
    """What is known of a run that has just started, without asking it."""
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
    )
