"""The work of `plan` and `approve`."""

from pathlib import Path

from cli.approval import Editor, ask_about_plan, plan_lines
from cli.console import say, show, show_json
from cli.dialogue import InputEndedError, can_ask
from cli.session import checked_id, operator, run_async, settings_for
from cli.steering import show_outcome
from orchestrator.client.facade import OrchClient
from orchestrator.client.plan_file import load_plan
from orchestrator.client.plan_text import plan_yaml
from orchestrator.contracts.messages import ApprovePlan
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.errors import UserInputError


def show_plan(project_id: str, *, yaml: bool, json_output: bool, profile: str | None) -> int:
    """Show the plan of a run as a table, as YAML, or as JSON."""
    settings = settings_for(profile)
    checked_id(project_id)
    if yaml and json_output:
        raise UserInputError("--yaml and --json: give one of them")

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        tasks = await _known_plan(client, project_id)
        if json_output:
            show_json({"project_id": project_id, "tasks": [task.model_dump(mode="json") for task in tasks]})
        elif yaml:
            show(f"# Plan of {project_id}. Edit it, then: orch-cli approve {project_id} --plan FILE")
            show(plan_yaml(tasks).rstrip("\n"))
        else:
            for line in plan_lines(tasks, limit=len(tasks)):
                show(line)
        return 0

    return run_async(command())


def approve_plan(project_id: str, plan_file: str | None, *, ask: bool, json_output: bool, profile: str | None) -> int:
    """Approve the plan of a run, or an edited one; 1 where the user thinks better of it."""
    settings = settings_for(profile)
    checked_id(project_id)
    edited = load_plan(Path(plan_file)) if plan_file else None

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        request = ApprovePlan(by=operator(), tasks=edited)
        tasks = edited or await _known_plan(client, project_id)
        if ask and can_ask():
            line = await _asked(client, Editor(project_id, tasks, edited=edited is not None))
        else:
            for shown in plan_lines(tasks):
                say(shown)
            line = await client.steer(project_id, request)
        if line is None:
            say(f"Nothing was approved: the plan of {project_id} waits.")
            return 1
        show_outcome(project_id, request, line, json_output=json_output)
        return 0

    return run_async(command())


async def _asked(client: OrchClient, editor: Editor) -> str | None:
    try:
        return await ask_about_plan(client, editor, no="leave it waiting")
    except InputEndedError:
        return None


async def _known_plan(client: OrchClient, project_id: str) -> tuple[PlannedTask, ...]:
    tasks = await client.plan(project_id)
    if not tasks:
        raise UserInputError(f"{project_id} has no plan yet; 'orch-cli status {project_id}' tells where it stands")
    return tasks
