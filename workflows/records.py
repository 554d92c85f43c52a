"""What a run leaves behind: published results, the state for a resume, logs, search attributes."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.project import ProjectView
    from orchestrator.contracts.tools import (
        PublishInput,
        PublishResult,
        ReconcileInput,
        ReconcileResult,
        StateInput,
        TextInput,
    )
    from orchestrator.domain.integration import drafts
    from orchestrator.domain.money import cost_micro, usd
    from orchestrator.domain.outcome import ProjectStatus, after_loss, ending, quality
    from orchestrator.domain.refs import BlobRef
    from orchestrator.domain.steps import FINAL
    from orchestrator.domain.tasks import PROJECT

from workflows import views
from workflows.calling import CallContext
from workflows.context import RunContext
from workflows.driven_context import DrivenContext
from workflows.foundation import base, drop_base

_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_APP_TYPE = SearchAttributeKey.for_keyword("OrchAppType")
_PHASE = SearchAttributeKey.for_keyword("OrchPhase")
_SPENT = SearchAttributeKey.for_float("OrchSpentUsd")
_QUALITY = SearchAttributeKey.for_float("OrchQuality")
_DONE = SearchAttributeKey.for_int("OrchTasksDone")
_TOTAL = SearchAttributeKey.for_int("OrchTasksTotal")


async def publish(ctx: RunContext) -> ProjectView:
    """Reconcile uncertain charges, decide the status, store manifest and report."""
    state = ctx.state
    ctx.ending = True
    await reconcile(ctx)
    left_micro = sum(charge.amount_micro for charge in state.ledger.carried.values())
    if left_micro:
        ctx.note(f"${usd(left_micro):.6f} of an earlier run went to requests that were not needed any more")
    while True:
        end = ending(
            list(state.tasks.values()),
            state.integration,
            state.stopped,
            state.stop_reason,
            state.exhausted,
            state.failure,
        )
        ctx.emit("finished", f"{end.status.value}{': ' + end.reason if end.reason else ''}")
        state.phase = end.status
        await flush(ctx)
        view = views.project_view(ctx, end)
        await save_state(ctx, view)
        published = await _publish(ctx, view)
        if not published.lost:
            break
        for task_id, paths in published.lost.items():
            if task_id == PROJECT:
                drop_base(ctx, paths)
                continue
            ctx.set_task(task_id, after_loss(ctx.task(task_id), paths))
            ctx.note(f"{task_id}: {ctx.task(task_id).reason}")
    show_search_attributes(ctx, end.status)
    workflow.set_current_details(views.Details(ctx).text(end))
    return view.model_copy(
        update={"manifest": published.manifest, "events": published.events, "records": published.records}
    )


async def _publish(ctx: RunContext, view: ProjectView) -> PublishResult:
    state = ctx.state
    assert state.prepared is not None
    published: PublishResult = await ctx.tool(
        names.ACTIVITY_PUBLISH,
        PublishInput(
            namespace=ctx.namespace,
            project=ctx.spec.project_id,
            view_json=view.model_dump_json(),
            project_text=state.prepared.project,
            criteria=state.prepared.criteria,
            original_project=state.enhancement.project if state.enhancement else None,
            original_criteria=state.enhancement.criteria if state.enhancement else None,
            plan=state.plan,
            base=base(ctx),
            drafts=drafts(state.plan, state.tasks),
            calls=state.record_segments,
            events=state.event_segments,
            findings=state.integration.best.detail if state.integration.best else None,
        ),
        PublishResult,
        "manifest and report",
    )
    return published


async def reconcile(ctx: CallContext) -> None:
    """Uncertain calls that did finish get their actual cost."""
    ledger = ctx.state.ledger
    if not ledger.uncertain:
        return
    prices = {model.id: model.prices for model in ctx.spec.models}
    open_calls = tuple(ledger.uncertain)
    found: ReconcileResult = await ctx.tool(
        names.ACTIVITY_RECONCILE,
        ReconcileInput(calls=open_calls),
        ReconcileResult,
        f"{len(open_calls)} calls of unknown fate",
    )
    for key, usage in found.finished.items():
        charge = ledger.uncertain[key]
        if charge.model not in prices:  # of an earlier run, and gone from the catalog since
            continue
        actual = min(cost_micro(usage, prices[charge.model]), charge.amount_micro)
        ctx.state.ledger = ctx.state.ledger.reconcile(key, actual)
        ctx.reconcile_spending(key, actual, charge.amount_micro)
        ctx.emit("reconciled", f"{key} cost ${usd(actual):.6f}")


async def flush(ctx: CallContext) -> None:
    """Event log and call records go to the store."""
    state = ctx.state
    if state.records:
        text = _json_list([record.model_dump_json() for record in state.records])
        state.record_segments = (*state.record_segments, await store_text(ctx, text, "log segment"))
        state.records = []
    await flush_events(ctx)


async def flush_events(ctx: DrivenContext) -> None:
    """The event log goes to the store."""
    state = ctx.state
    text = _json_list([event.model_dump_json() for event in state.events])
    state.event_segments = (*state.event_segments, await store_text(ctx, text, "log segment"))
    state.events = []


async def store_text(ctx: DrivenContext, text: str, summary: str) -> BlobRef:
    """Put a text into the store."""
    stored: BlobRef = await ctx.tool(names.ACTIVITY_STORE_TEXT, TextInput(text=text), BlobRef, summary)
    return stored


async def save_state(ctx: RunContext, view: ProjectView) -> None:
    """Keep the state in the store, for a resume, and how the run looks."""
    await ctx.tool(
        names.ACTIVITY_SAVE_STATE,
        StateInput(
            namespace=ctx.namespace,
            project=ctx.spec.project_id,
            spec_json=ctx.spec.model_dump_json(),
            state_json=ctx.state.model_dump_json(),
            view_json=view.model_dump_json(),
        ),
        None,
        ctx.state.phase.value,
    )


def show_search_attributes(ctx: RunContext, status: ProjectStatus) -> None:
    """Make the run findable by what it is doing."""
    if not ctx.spec.search_attributes:
        return
    tasks = list(ctx.state.tasks.values())
    updates: list[SearchAttributeUpdate[Any]] = [
        _STATUS.value_set(status.value),
        _PHASE.value_set(ctx.state.phase.value),
        _SPENT.value_set(usd(ctx.state.ledger.spent_micro)),
        _DONE.value_set(sum(task.status in FINAL for task in tasks)),
        _TOTAL.value_set(len(tasks)),
    ]
    score = quality(tasks)
    if score is not None:
        updates.append(_QUALITY.value_set(score))
    if ctx.state.architecture is not None:
        updates.append(_APP_TYPE.value_set(ctx.state.architecture.app_type.value))
    workflow.upsert_search_attributes(updates)


def _json_list(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"
