"""The work of `resume`: the end of a pause, or a new run from where the last one stopped."""

from dataclasses import dataclass, replace

from cli.console import say
from cli.finish import come_back, known_folder, output_folder, present
from cli.following import Waiting, follow_to_end
from cli.pipeline_runs import resume_pipeline
from cli.results import exit_code, is_closed
from cli.running import settled_view
from cli.session import checked_id, operator, run_async, settings_for
from cli.steering import parsed
from orchestrator.artifacts.export import check_target
from orchestrator.client.facade import OrchClient
from orchestrator.client.resuming import ResumeChanges
from orchestrator.client.run_records import RunRecord, load_record, save_record
from orchestrator.client.spec import (
    parse_approve,
    parse_budget,
    parse_concurrency,
    parse_on_exhausted,
    parse_time_limit,
)
from orchestrator.contracts.messages import Request, SetBudget, SetConcurrency, SetTimeLimit
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings


@dataclass(frozen=True)
class ResumeOptions:
    """The command line of `resume`, as typed; None where a flag was not given."""

    project_id: str
    budget: str | None
    time_limit: str | None
    concurrency: str | None
    retry_failed: bool
    approve: str | None
    on_exhausted: str | None
    output_dir: str | None
    detach: bool
    no_input: bool
    json_output: bool
    profile: str | None


def resume_run(options: ResumeOptions) -> int:
    """Go on with a run; returns the exit code. Raises OrchError."""
    settings = settings_for(options.profile)
    project_id = checked_id(options.project_id)
    changes = ResumeChanges(
        max_micro=None if options.budget is None else parsed("--budget", parse_budget, options.budget),
        time_limit_s=None
        if options.time_limit is None
        else parsed("--time-limit", parse_time_limit, options.time_limit),
        concurrency=None
        if options.concurrency is None
        else parsed("--concurrency", parse_concurrency, options.concurrency),
        retry_failed=options.retry_failed,
        approve_plan=None if options.approve is None else parsed("--approve", parse_approve, options.approve),
        on_exhausted=None
        if options.on_exhausted is None
        else parsed("--on-exhausted", parse_on_exhausted, options.on_exhausted),
    )
    waiting = Waiting(
        folder=output_folder(settings, project_id, options.output_dir),
        no_input=options.no_input,
        json_output=options.json_output,
    )

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if await client.pipelines.exists(project_id):
            most, json_output = changes.max_micro, options.json_output
            return await resume_pipeline(client, project_id, most, detach=options.detach, json_output=json_output)
        view = await client.view(project_id)
        if not is_closed(view.status):
            return await _end_pause(client, settings, view, changes, json_output=options.json_output)
        return await carry_on(client, settings, view, changes, waiting, detach=options.detach)

    return run_async(command())


async def carry_on(
    client: OrchClient,
    settings: Settings,
    ended: ProjectView,
    changes: ResumeChanges,
    waiting: Waiting,
    *,
    detach: bool,
) -> int:
    """Start an ended run again and follow it to its end, or say why it is complete; returns the exit code.

    Raises OrchError.
    """
    project_id = ended.project_id
    if ended.status is ProjectStatus.SUCCESS or _needs_flag(ended, changes):
        say(_why_nothing(ended))
        present(ended, known_folder(settings, project_id), json_output=waiting.json_output)
        return exit_code(ended.status)
    check_target(waiting.folder, project_id)
    again = await client.restart(project_id, changes, operator())
    say(one_line(again.text, 300))
    _remember(settings, project_id, waiting)
    if detach:
        present(await first_view(client, ended), str(waiting.folder), json_output=waiting.json_output)
        say(come_back(project_id))
        return 0
    return await follow_to_end(client, settings, project_id, replace(waiting, since=again.last_event))


async def first_view(client: OrchClient, known: ProjectView) -> ProjectView:
    """A run that has just begun; where no worker tells about it yet, what is known without one."""
    try:
        return await client.view(known.project_id)
    except PrerequisiteError:
        return known.model_copy(update={"status": ProjectStatus.PLANNING, "reason": "no worker has answered yet"})


async def _end_pause(
    client: OrchClient, settings: Settings, view: ProjectView, changes: ResumeChanges, *, json_output: bool
) -> int:
    """Apply what was asked for to a live run, end its pause if there is one, and show it."""
    project_id = view.project_id
    for request in _requests(view, changes):
        say(one_line(await client.steer(project_id, request)))
    if view.status is ProjectStatus.PAUSED:
        await client.resume(project_id, by=operator())
    elif view.status is ProjectStatus.WAITING_APPROVAL:
        say(f"{project_id} waits for its plan to be approved: 'orch-cli approve {project_id}'.")
    else:
        say(f"{project_id} is not paused; 'orch-cli watch {project_id}' follows it.")
    view = await settled_view(client, project_id, lambda now: now.status is not ProjectStatus.PAUSED)
    present(view, known_folder(settings, project_id), json_output=json_output)
    return 0


def _requests(view: ProjectView, changes: ResumeChanges) -> list[Request]:
    """The changes as requests to a live run. Raises UserInputError for those that only a new run can have."""
    project_id, by = view.project_id, operator()
    if changes.retry_failed:
        raise UserInputError(
            f"--retry-failed is for a run that has ended; {project_id} is {view.status.value}: "
            f"'orch-cli retry {project_id} TASK' starts one task afresh"
        )
    if changes.approve_plan is not None or changes.on_exhausted is not None:
        raise UserInputError(
            f"--approve and --on-exhausted are for a run that has ended; {project_id} is {view.status.value}"
        )
    requests: list[Request] = []
    if changes.max_micro is not None:
        requests.append(SetBudget(by=by, max_micro=changes.max_micro))
    if changes.time_limit_s is not None:
        requests.append(SetTimeLimit(by=by, time_limit_s=changes.time_limit_s))
    if changes.concurrency is not None:
        requests.append(SetConcurrency(by=by, concurrency=changes.concurrency))
    return requests


def _needs_flag(view: ProjectView, changes: ResumeChanges) -> bool:
    return view.status is ProjectStatus.COMPLETED_DEGRADED and not changes.retry_failed


def _why_nothing(view: ProjectView) -> str:
    if view.status is ProjectStatus.SUCCESS:
        return f"{view.project_id} is complete: there is nothing to resume."
    return (
        f"{view.project_id} has an answer for every task. With --retry-failed those below their target "
        "are done afresh; the others stay as they are and cost nothing."
    )


def _remember(settings: Settings, project_id: str, waiting: Waiting) -> None:
    """Keep where the output goes, for `watch` and `export` after a detach."""
    record = load_record(settings.home, project_id)
    if record is None or record.output_dir != str(waiting.folder):
        save_record(settings.home, RunRecord(project_id=project_id, output_dir=str(waiting.folder)))
