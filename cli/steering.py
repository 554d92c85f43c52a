"""The work of the commands that change a live run: a checked request, sent, and what came of it."""

from collections.abc import Callable
from typing import TypeVar

from cli.console import say, show, show_json
from cli.session import checked_id, operator, run_async, settings_for
from orchestrator.catalog import catalog_here
from orchestrator.client.facade import OrchClient
from orchestrator.client.model_names import model_resolver
from orchestrator.client.spec import parse_concurrency, parse_time_limit
from orchestrator.contracts.messages import (
    MAX_GUIDANCE_CHARS,
    UPDATES,
    AddGuidance,
    OverrideModel,
    Request,
    RetryTask,
    SetConcurrency,
    SetTimeLimit,
    SkipTask,
)
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.tasks import Stage
from orchestrator.domain.text import one_line
from orchestrator.settings.yaml_files import nearest

T = TypeVar("T")
_STAGES = tuple(stage.value for stage in Stage)
_MAX_LINE = 400


def set_time_limit(project_id: str, limit: str, *, json_output: bool, profile: str | None) -> int:
    """Give a run another time limit."""
    request = SetTimeLimit(by=operator(), time_limit_s=parsed("TIME", parse_time_limit, limit))
    return steer_run(project_id, request, json_output=json_output, profile=profile)


def set_concurrency(project_id: str, tasks: str, *, json_output: bool, profile: str | None) -> int:
    """Set how many tasks run at a time."""
    request = SetConcurrency(by=operator(), concurrency=parsed("N", parse_concurrency, tasks))
    return steer_run(project_id, request, json_output=json_output, profile=profile)


def retry_task(project_id: str, task: str, *, json_output: bool, profile: str | None) -> int:
    """Start a finished task afresh."""
    return steer_run(project_id, RetryTask(by=operator(), task=task), json_output=json_output, profile=profile)


def skip_task(project_id: str, task: str, *, json_output: bool, profile: str | None) -> int:
    """Do nothing more for a task."""
    return steer_run(project_id, SkipTask(by=operator(), task=task), json_output=json_output, profile=profile)


def override_model_of_task(
    project_id: str, task: str, model: str, stage: str | None, *, json_output: bool, profile: str | None
) -> int:
    """Ask a model first for a task, or for one stage of it."""
    settings = settings_for(profile)
    if stage is not None and stage not in _STAGES:
        raise UserInputError(f"--stage: unknown stage {stage[:60]!r}; {nearest(stage, _STAGES)}")
    resolve = model_resolver(lambda: catalog_here(settings))
    request = OverrideModel(
        by=operator(), task=task, stage=Stage(stage) if stage else None, model=parsed("MODEL", resolve, model)
    )
    return steer_run(project_id, request, json_output=json_output, profile=profile)


def guide_run(project_id: str, text: str, task: str, *, json_output: bool, profile: str | None) -> int:
    """Tell the models of a task, or of all tasks, something."""
    if not text.strip():
        raise UserInputError("TEXT: is empty")
    if len(text) > MAX_GUIDANCE_CHARS:
        raise UserInputError(f"TEXT: is {len(text)} characters long; at most {MAX_GUIDANCE_CHARS} are accepted")
    request = AddGuidance(by=operator(), task=task, text=text.strip())
    return steer_run(project_id, request, json_output=json_output, profile=profile)


def steer_run(project_id: str, request: Request, *, json_output: bool, profile: str | None) -> int:
    """Send `request` to a live run and show what it did. Raises UserInputError where the run rejects it."""
    settings = settings_for(profile)
    checked_id(project_id)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        show_outcome(project_id, request, await client.steer(project_id, request), json_output=json_output)
        return 0

    return run_async(command())


def show_outcome(project_id: str, request: Request, line: str, *, json_output: bool) -> None:
    """What an accepted request did, on stdout."""
    if json_output:
        show_json({"project_id": project_id, "request": UPDATES[type(request)], "result": line})
    else:
        show(one_line(line, _MAX_LINE))


def parsed(name: str, parse: Callable[[str], T], raw: str) -> T:
    """`raw` as a value. Raises UserInputError that names the argument."""
    try:
        return parse(raw)
    except ValueError as error:
        raise UserInputError(f"{name}: {error}") from None
