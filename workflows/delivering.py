"""What follows the end of a run: its files go where they were wanted, its webhook and its command are told."""

from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.batch import BatchView
    from orchestrator.contracts.delivery import (
        Delivery,
        ExportInput,
        ExportOutcome,
        FinishedProject,
        FinishedRun,
        HookInput,
    )
    from orchestrator.contracts.project import ProjectView
    from orchestrator.domain.delivery import shown_host
    from orchestrator.domain.text import one_line

from workflows.driven_context import LOST_ATTEMPTS, DrivenContext

_DELIVERY = "delivery"
_SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
# The receiver may be down for a while: attempts after 1, 2, 4, ... seconds, then every minute until it is given up.
_PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)


def dated_delivery(ctx: DrivenContext, delivery: Delivery) -> Delivery:
    """`delivery` with the time that the run stands for: of a backfill, that of the run that was missed."""
    if delivery.at_s is not None:
        return delivery
    nominal = workflow.info().typed_search_attributes.get(_SCHEDULED)
    return delivery.model_copy(update={"at_s": nominal.timestamp() if nominal else ctx.state.clock.started_s})


async def deliver_project(ctx: DrivenContext, delivery: Delivery, view: ProjectView) -> ProjectView:
    """The result with the folder that holds its files, and with a note for what could not be delivered."""
    folder = ""
    delivery = dated_delivery(ctx, delivery)
    if delivery.output_dir and view.manifest is not None:
        wanted = ExportInput(project_id=view.project_id, manifest=view.manifest, delivery=delivery)
        summary = f"files to {delivery.output_dir}"
        outcome = await _attempt(ctx, delivery, names.ACTIVITY_DELIVER_FILES, wanted, ExportOutcome, summary)
        folder = outcome.folder if outcome else ""
    run = finished_run("project", view.project_id, view, output_dir=folder)
    await tell(ctx, delivery, run)
    return view.model_copy(update={"output_dir": folder, "notes": ctx.state.notes})


def finished_run(
    kind: Literal["project", "batch"],
    run_id: str,
    view: ProjectView | BatchView,
    *,
    output_dir: str = "",
    projects: tuple[FinishedProject, ...] = (),
) -> FinishedRun:
    """What is told of a run that ended like this."""
    return FinishedRun(
        kind=kind,
        id=run_id,
        workflow_id=view.workflow_id,
        status=view.status,
        reason=view.reason,
        spent_micro=view.spent_micro,
        uncertain_micro=view.uncertain_micro,
        max_micro=view.max_micro,
        quality_score=view.quality_score,
        simulated=view.simulated,
        output_dir=output_dir,
        projects=projects,
    )


async def tell(ctx: DrivenContext, delivery: Delivery, run: FinishedRun) -> None:
    """Webhook, then command; what cannot be delivered is noted, and changes nothing about the run."""
    told = HookInput(delivery=delivery, run=run, ended_s=ctx.now_s())
    if delivery.webhook:
        await _attempt(ctx, delivery, names.ACTIVITY_DELIVER_WEBHOOK, told, None, shown_host(delivery.webhook))
    if delivery.command:
        await _attempt(ctx, delivery, names.ACTIVITY_DELIVER_COMMAND, told, None, delivery.command[0])


async def _attempt(
    ctx: DrivenContext, delivery: Delivery, name: str, given: Any, result_type: type | None, summary: str
) -> Any:
    """The activity's result; None, and a note, where it failed for good."""
    timeouts, webhook = ctx.spec.timeouts, name == names.ACTIVITY_DELIVER_WEBHOOK
    handle = workflow.start_activity(
        name,
        given,
        task_queue=names.QUEUE_TOOLS,
        result_type=result_type,
        start_to_close_timeout=timedelta(seconds=timeouts.tool_s),
        schedule_to_close_timeout=timedelta(seconds=delivery.give_up_s if webhook else timeouts.give_up_s),
        heartbeat_timeout=timedelta(seconds=timeouts.heartbeat_s),
        retry_policy=_PATIENT if webhook else LOST_ATTEMPTS,
        summary=one_line(summary, 100),
    )
    try:
        return await ctx.execute(handle, _DELIVERY, name)
    except ActivityError as error:
        cause = error.cause if error.cause is not None else error
        why = cause.message if isinstance(cause, FailureError) else str(cause)
        ctx.note(f"{name} failed: {one_line(why)}")
        return None
