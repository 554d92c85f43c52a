"""The work of `start --dry-run`: what a project will cost, before it is paid for.

`--dry-run` asks nobody and starts nothing; `--dry-run=plan` starts the run, pays for its plan and ends it there.
`--json` prints one object; docs/dry-run.md describes its keys.
"""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from cli.console import say, show, show_json
from cli.finish import present
from cli.forecasts import Outlook, outlook_block, outlook_object
from cli.progress import progress_for_terminal
from cli.results import SIMULATED_NOTICE, exit_code
from cli.session import run_async
from cli.waiting import follow
from orchestrator.client.facade import OrchClient
from orchestrator.client.run_records import RunRecord, save_record
from orchestrator.client.usable import models_here
from orchestrator.contracts.project import ProjectSpec, ProjectStatus, ProjectView
from orchestrator.domain.advising import stages_before_plan
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.assumed_plan import assumed_plan
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.forecast import NoModelError, forecast
from orchestrator.domain.policy import permitted
from orchestrator.domain.routing import ProjectModels
from orchestrator.domain.workload import TaskSize, task_size
from orchestrator.settings import Settings

_HIGH = (
    "high, the worst case: all iterations, revisions and repair rounds, longest answers, dearer models after escalation"
)
_LOW = "low: every task passes at once with small answers"
_CAP = "requests that fail and are asked again are in no figure; whatever happens, the budget is never exceeded"


class DryRun(StrEnum):
    """What may be spent to find out."""

    ESTIMATE = "estimate"  # nothing
    PLAN = "plan"  # the planning call


def parse_dry_run(raw: str) -> DryRun:
    """`estimate` or `plan`. Raises ValueError."""
    try:
        return DryRun(raw.strip().lower())
    except ValueError:
        raise ValueError(f"must be 'plan', or be given without a value; got {raw[:60]!r}") from None


def show_estimate(spec: ProjectSpec, settings: Settings, *, json_output: bool) -> int:
    """Show what the project may cost, from its size alone; 0. Asks no model, no worker and no server."""
    assumed = assumed_plan(spec.project, spec.criteria)
    outlook = _outlook(spec, settings, assumed.tasks, (), None, assumed.basis)
    _present(outlook, json_output=json_output)
    return 0


def plan_only(
    spec: ProjectSpec, files: Mapping[str, bytes], settings: Settings, folder: Path, *, json_output: bool
) -> int:
    """Run the project up to its plan, and show what carrying it out may cost; 0, or by status without a plan.

    `spec.plan_only` is set; `files` are the user's own; `folder` is where a resumed run writes.
    """
    return run_async(_plan_only(spec, files, settings, folder, json_output))


async def _plan_only(
    spec: ProjectSpec, files: Mapping[str, bytes], settings: Settings, folder: Path, json_output: bool
) -> int:
    project_id = spec.project_id
    simulated = settings.embedded and not settings.vendors
    if simulated:
        say(f"No key is configured, so {SIMULATED_NOTICE}.")
    client = await OrchClient.connect(settings, say)
    save_record(settings.home, RunRecord(project_id=project_id, output_dir=str(folder)))
    try:
        await client.start(spec, files)
        say(f"Started {project_id}, to be planned only.")
        view = await follow(client, project_id, progress_for_terminal(), simulated_said=simulated)
    except asyncio.CancelledError:
        say(f"\nInterrupted: planning goes on without this command; 'orch-cli plan {project_id}' shows the plan.")
        raise
    if view.status is not ProjectStatus.CANCELLED or not view.tasks:
        present(view, None, json_output=json_output)
        return exit_code(view.status)
    tasks = await client.plan(project_id)
    sizes = tuple(task_size(task) for task in tasks)
    outlook = _outlook(spec, settings, sizes, tasks, view, f"the plan of {len(tasks)} tasks as it is")
    _present(outlook, json_output=json_output)
    return 0


def _present(outlook: Outlook, *, json_output: bool) -> None:
    if json_output:
        show_json(outlook_object(outlook))
    else:
        show(outlook_block(outlook))


def _outlook(
    spec: ProjectSpec,
    settings: Settings,
    sizes: tuple[TaskSize, ...],
    tasks: tuple[PlannedTask, ...],
    view: ProjectView | None,
    basis: str,
) -> Outlook:
    models, vendors = models_here(spec.models, settings, simulated=view.simulated if view else None)
    simulated = bool(models) and models[0].simulated
    spent_micro = view.spent_micro + view.uncertain_micro if view else 0
    text_bytes = len(spec.project.encode()) + len(spec.criteria.encode())
    try:
        made = forecast(
            sizes,
            text_bytes,
            ProjectModels(
                models=permitted(models, spec.policies),
                routing=spec.simulated_routing if simulated else spec.routing,
                overrides=spec.overrides,
            ),
            spec.concurrency,
            planned_micro=spent_micro if view else None,
            before=stages_before_plan(spec.enhance, spec.wishes, advise=spec.advise),
        )
    except NoModelError as error:
        raise PrerequisiteError(f"{error}; 'orch-cli models' says why") from None
    return Outlook(
        forecast=made,
        sizes=sizes,
        tasks=tasks,
        project_id=spec.project_id if view else None,
        spent_micro=spent_micro,
        max_micro=spec.max_micro,
        time_limit_s=spec.time_limit_s,
        simulated=simulated,
        vendors=vendors or f"none has a key, so {SIMULATED_NOTICE}",
        assumptions=(basis, _LOW, _HIGH, _CAP),
    )
