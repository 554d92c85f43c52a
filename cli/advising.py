"""The work of `advise`: a run that ends with an architecture."""

import asyncio
from dataclasses import dataclass

from cli.console import say, show, show_json
from cli.progress import progress_for_terminal
from cli.results import SIMULATED_NOTICE, architecture_block, exit_code
from cli.session import run_async, settings_for
from cli.steering import parsed
from cli.waiting import follow
from orchestrator.client.advisor import advice_spec
from orchestrator.client.facade import OrchClient
from orchestrator.client.spec import parse_app_type, parse_budget, parse_text
from orchestrator.contracts.project import ProjectSpec, ProjectView
from orchestrator.domain.money import usd
from orchestrator.settings import Settings


@dataclass(frozen=True)
class AdviceOptions:
    """The command line of `advise`, as typed."""

    project: str
    criteria: str
    app_type: str | None
    budget: str
    json_output: bool
    profile: str | None


def show_advice(options: AdviceOptions) -> int:
    """Ask for an architecture and show it; 0, or by status where nobody gave one."""
    settings = settings_for(options.profile)
    spec = advice_spec(
        settings,
        parsed("--project", parse_text, options.project),
        options.criteria.strip(),
        app_type=parsed("--app-type", parse_app_type, options.app_type) if options.app_type else None,
        max_micro=parsed("--budget", parse_budget, options.budget),
    )

    async def command() -> int:
        view = await _advised(settings, spec)
        _present(view, json_output=options.json_output)
        return 0 if view.architecture else exit_code(view.status)

    return run_async(command())


async def _advised(settings: Settings, spec: ProjectSpec) -> ProjectView:
    simulated = settings.embedded and not settings.vendors
    if simulated:
        say(f"No key is configured, so {SIMULATED_NOTICE}.")
    client = await OrchClient.connect(settings, say)
    try:
        await client.start(spec)
        say(f"Started {spec.project_id}, to be advised only.")
        return await follow(client, spec.project_id, progress_for_terminal(), simulated_said=simulated)
    except asyncio.CancelledError:
        say(f"\nInterrupted: the run goes on without this command; 'orch-cli status {spec.project_id}' shows it.")
        raise


def _present(view: ProjectView, *, json_output: bool) -> None:
    if json_output:
        found = view.architecture.model_dump(mode="json") if view.architecture else None
        show_json(
            {
                "project_id": view.project_id,
                "architecture": found,
                "spent_usd": usd(view.spent_micro),
                "uncertain_usd": usd(view.uncertain_micro),
                "simulated": view.simulated,
                "reason": "" if found else view.reason,
            }
        )
    elif view.architecture:
        show(architecture_block(view.architecture))
    else:
        say(f"error: {view.reason}")
