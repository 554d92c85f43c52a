"""The projects of a batch: started in a sliding window, paused, resumed, cancelled, looked after."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.batch import LoadProject, LookAfter, LookedAfter
    from orchestrator.contracts.details import project_details
    from orchestrator.contracts.project import Membership, ProjectSpec
    from orchestrator.contracts.state import ProjectInput
    from orchestrator.domain.batch import BatchProject, Wish, given_up, next_up, unaffordable
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.text import one_line

from workflows.batch_context import BatchContext
from workflows.batch_delivery import project_delivery
from workflows.batch_views import show_search_attributes, status

_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_TEAM = SearchAttributeKey.for_keyword("OrchTeam")


async def run_projects(ctx: BatchContext) -> None:
    """Start projects as window and budget allow, until all have ended or the execution has to be continued.

    When it returns nothing is under way but the projects themselves.
    """
    while True:
        seen = _seen(ctx)
        if ctx.state.stopped is not None:
            for end in given_up(ctx.progress, ctx.state.stopped, ctx.state.stop_reason):
                ctx.book(end)
        for end in unaffordable(ctx.progress):
            ctx.book(end)
        if not ctx.must_stop and not ctx.paused:
            for project in next_up(ctx.progress):
                ctx.begin(project, _start(ctx, project))
        await _tell(ctx)
        show_search_attributes(ctx, status(ctx))
        if not ctx.starting and (ctx.progress.over or (ctx.draining and ctx.state.stopped is None)):
            return
        await workflow.wait_condition(lambda: _seen(ctx) != seen)  # noqa: B023


def _seen(ctx: BatchContext) -> tuple[object, ...]:
    """All that the window depends on."""
    return ctx.revision, ctx.must_stop, ctx.state.stopped


async def _start(ctx: BatchContext, project: BatchProject) -> None:
    """Start one project, which then lives by itself; one that cannot be started has failed."""
    try:
        spec = await _load(ctx, project)
        if ctx.state.stopped is None:
            ctx.watch(project.key, await _child(ctx, project, spec))
        else:
            ctx.fail(project.key, ctx.state.stop_reason, ctx.state.stopped)
    except ActivityError as error:
        ctx.fail(project.key, f"it could not be read: {one_line(str(error.cause or error))}")
    except WorkflowAlreadyStartedError:
        ctx.fail(project.key, f"a project {ctx.project_id(project.key)} is running already")
    finally:
        del ctx.starting[project.key]
        ctx.revision += 1


async def _load(ctx: BatchContext, project: BatchProject) -> ProjectSpec:
    given = LoadProject(manifest=ctx.spec.manifest, key=project.key)
    summary = f"read {one_line(project.key)}"
    loaded: ProjectSpec = await ctx.tool(names.ACTIVITY_BATCH_LOAD, given, ProjectSpec, summary)
    return loaded.model_copy(
        update={
            "project_id": ctx.project_id(project.key),
            "batch": Membership(batch_id=ctx.run_id, key=project.key),
            "max_micro": project.max_micro,
            "team": loaded.team or ctx.spec.team,
            "search_attributes": ctx.spec.search_attributes,
            "delivery": project_delivery(ctx, loaded.delivery, project.key),
        }
    )


async def _child(
    ctx: BatchContext, project: BatchProject, spec: ProjectSpec
) -> "workflow.ChildWorkflowHandle[Any, Any]":
    team = [SearchAttributePair(_TEAM, spec.team)] if spec.team else []
    planning = TypedSearchAttributes([SearchAttributePair(_STATUS, ProjectStatus.PLANNING.value), *team])
    limit_s = ctx.spec.task_timeout_s
    return await workflow.start_child_workflow(
        names.PROJECT_WORKFLOW,
        ProjectInput(spec=spec),
        id=names.workflow_id(spec.project_id),
        task_queue=names.QUEUE_WORKFLOWS,
        parent_close_policy=ParentClosePolicy.ABANDON,
        cancellation_type=ChildWorkflowCancellationType.ABANDON,
        task_timeout=timedelta(seconds=limit_s) if limit_s else None,
        memo={
            names.MEMO_PROJECT: project.title,
            names.MEMO_MAX_USD: usd(project.max_micro),
            names.MEMO_BATCH: ctx.run_id,
        },
        search_attributes=planning if ctx.spec.search_attributes else None,
        static_summary=project.title,
        priority=Priority(priority_key=names.PRIORITY_UNATTENDED, fairness_key=spec.team or None),
        static_details=project_details(spec),
    )


async def _tell(ctx: BatchContext) -> None:
    """Running projects learn that the batch is paused, goes on, or was cancelled."""
    wish, told = ctx.wish, ctx.state.told
    keys = [
        key
        for key in ctx.progress.running
        if key not in ctx.starting and told.get(key, Wish.GO_ON) not in (wish, Wish.CANCEL)
    ]
    for key in keys:
        told[key] = wish
    await asyncio.gather(*(_tell_one(ctx, key, wish) for key in keys))


async def _tell_one(ctx: BatchContext, key: str, wish: Wish) -> None:
    project = workflow.get_external_workflow_handle(names.workflow_id(ctx.project_id(key)))
    try:
        if wish is Wish.CANCEL:
            await project.cancel()
        elif wish is Wish.PAUSE:
            await project.signal(
                names.SIGNAL_PAUSE, args=[f"the batch is paused: {ctx.state.clock.reason}", ctx.run_id]
            )
        else:
            await project.signal(names.SIGNAL_RESUME, ctx.run_id)
    except FailureError:  # it is not there any more
        ctx.suspects[key] = None


async def look_after(ctx: BatchContext, closed: Callable[[], bool]) -> None:
    """Finds projects that ended without a word: those that were terminated, or failed."""
    while not closed():
        limit_s = ctx.spec.look_every_s if ctx.state.progress and ctx.progress.running else None
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: closed() or bool(ctx.suspects) or (limit_s is None and _any_running(ctx)),  # noqa: B023
                timeout=limit_s,
                timeout_summary="look after the projects",
            )
        running = (
            [] if closed() or not _any_running(ctx) else [k for k in ctx.progress.running if k not in ctx.starting]
        )
        if limit_s is None or not running:
            continue
        ctx.suspects.clear()
        given = LookAfter(namespace=ctx.namespace, projects={key: ctx.project_id(key) for key in running})
        looked: LookedAfter = await ctx.tool(names.ACTIVITY_BATCH_LOOK, given, LookedAfter, f"{len(running)} projects")
        for end in looked.ends:
            ctx.book(end)


def _any_running(ctx: BatchContext) -> bool:
    return ctx.state.progress is not None and bool(ctx.progress.running)
