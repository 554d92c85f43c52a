"""What queries, the Web UI, the list and the result show of a batch."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.batch import BatchProjectView, BatchView
    from orchestrator.contracts.names import batch_workflow_id
    from orchestrator.domain.batch import BatchProject, BatchState, mean_quality
    from orchestrator.domain.markdown import cell, dollars
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import Ending, ProjectStatus

from workflows.batch_context import BatchContext

Details = Callable[[], str]

_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_PHASE = SearchAttributeKey.for_keyword("OrchPhase")
_SPENT = SearchAttributeKey.for_float("OrchSpentUsd")
_QUALITY = SearchAttributeKey.for_float("OrchQuality")
_DONE = SearchAttributeKey.for_int("OrchTasksDone")
_TOTAL = SearchAttributeKey.for_int("OrchTasksTotal")
_ROWS_IN_DETAILS = 60
_PLAIN_CHARS = 80


def status(ctx: BatchContext) -> ProjectStatus:
    """What the batch is doing."""
    return ProjectStatus.PAUSED if ctx.paused else ProjectStatus.RUNNING


def batch_view(ctx: BatchContext, end: Ending | None = None) -> BatchView:
    """The batch with all its projects; with an ending, its result."""
    spec = ctx.spec
    state = ctx.state.progress or BatchState(max_micro=spec.max_micro, concurrency=spec.concurrency, projects=())
    return BatchView(
        batch_id=ctx.run_id,
        workflow_id=batch_workflow_id(ctx.run_id),
        name=spec.name,
        status=end.status if end else status(ctx),
        schedule=spec.schedule.name if spec.schedule else "",
        reason=end.reason if end else ctx.state.stop_reason or ctx.state.clock.reason,
        notes=ctx.state.notes,
        manifest=spec.manifest,
        max_micro=state.max_micro,
        spent_micro=state.spent_micro,
        uncertain_micro=state.uncertain_micro,
        reserved_micro=state.reserved_micro,
        quality_score=mean_quality(state),
        concurrency=state.concurrency,
        started_s=ctx.state.clock.started_s,
        elapsed_s=round(ctx.active_s(), 3),
        simulated=any(one.simulated for one in state.ends.values()),
        projects_done=len(state.ends),
        projects_total=len(state.projects),
        projects=tuple(_project_view(ctx, state, project) for project in state.projects),
    )


def _project_view(ctx: BatchContext, state: BatchState, project: BatchProject) -> BatchProjectView:
    known = project.model_dump() | {"project_id": ctx.project_id(project.key)}
    end = state.ends.get(project.key)
    if end is not None:
        return BatchProjectView(**known, status=end.status.value, **end.model_dump(exclude={"key", "status", "begun"}))
    since_s = state.running.get(project.key)
    if since_s is None:
        return BatchProjectView(**known, status="PENDING")
    return BatchProjectView(**known, status="RUNNING", started_s=since_s, elapsed_s=round(ctx.now_s() - since_s, 3))


def batch_details(ctx: BatchContext, end: Ending | None = None) -> str:
    """The batch as Markdown, for the Web UI: head and table, at most 60 projects, rather those under way."""
    view = batch_view(ctx, end)
    simulated = " (simulated models)" if view.simulated else ""
    money = dollars(usd(view.spent_micro), usd(view.max_micro))
    lines = [f"**{view.status.value}**{simulated} · {view.projects_done} of {view.projects_total} projects · {money}"]
    if view.reason:
        lines += ["", cell(view.reason)]
    rank = {"RUNNING": 0, "PENDING": 2}
    rows = sorted(view.projects, key=lambda one: rank.get(one.status, 1))[:_ROWS_IN_DETAILS]
    if rows:
        lines += ["", "| project | status | tasks | score | usd | why |", "|---|---|---|---|---|---|"]
        lines += [_row(row) for row in rows]
    if len(view.projects) > len(rows):
        lines.append(f"\n… and {len(view.projects) - len(rows)} more projects")
    return "\n".join(lines)


def _row(view: BatchProjectView) -> str:
    score = "" if view.quality_score is None else f"{view.quality_score:.2f}"
    tasks = f"{view.tasks_done} of {view.tasks_total}" if view.tasks_total else ""
    return (
        f"| {cell(view.key)} {cell(view.title)} | {view.status} | {tasks} | {score}"
        f" | {usd(view.spent_micro):.4f} | {cell(view.reason)} |"
    )


def show_search_attributes(ctx: BatchContext, shown: ProjectStatus) -> None:
    """Make the batch findable by what it is doing, where that has changed. Its tasks are its projects."""
    state = ctx.state.progress
    if not ctx.spec.search_attributes or state is None:
        return
    values = (shown.value, state.spent_micro, mean_quality(state), len(state.ends), len(state.projects))
    if values == ctx.shown:
        return
    ctx.shown = values
    updates: list[SearchAttributeUpdate[Any]] = [
        _STATUS.value_set(shown.value),
        _PHASE.value_set(shown.value),
        _SPENT.value_set(usd(state.spent_micro)),
        _DONE.value_set(len(state.ends)),
        _TOTAL.value_set(len(state.projects)),
    ]
    quality = mean_quality(state)
    if quality is not None:
        updates.append(_QUALITY.value_set(quality))
    workflow.upsert_search_attributes(updates)
