"""A batch's money from its schedule's month, and word of its end."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.batch import BatchView
    from orchestrator.contracts.delivery import Delivery, FinishedProject, MonthGrant, MonthInput
    from orchestrator.domain.batch import BatchProject, starts_nothing
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus

from workflows.batch_context import BatchContext
from workflows.delivering import dated_delivery, finished_run, tell


async def reserve_month(ctx: BatchContext, projects: tuple[BatchProject, ...]) -> int:
    """What the batch may spend: its own budget, or what its schedule's month has left; too little ends it."""
    terms, wanted = ctx.spec.schedule, ctx.spec.max_micro
    if terms is None or terms.month_micro is None:
        return wanted
    summary = f"money of {terms.name}"
    grant: MonthGrant = await ctx.tool(names.ACTIVITY_MONTH_RESERVE, _asked(ctx, wanted), MonthGrant, summary)
    if grant.granted_micro < wanted:
        left = f"${usd(grant.granted_micro):.2f} of ${usd(terms.month_micro):.2f} is left of schedule {terms.name}"
        ctx.note(f"{left} in {grant.month}")
        if starts_nothing(projects, grant.granted_micro):
            ctx.stop(ProjectStatus.BUDGET_EXHAUSTED, f"{left} in {grant.month}, less than a project's budget")
    return grant.granted_micro


async def settle_month(ctx: BatchContext) -> None:
    """Give back what the batch did not spend; what is uncertain counts as spent."""
    if ctx.spec.schedule is None or ctx.spec.schedule.month_micro is None:
        return
    spent = ctx.progress.spent_micro + ctx.progress.uncertain_micro
    await ctx.tool(names.ACTIVITY_MONTH_SETTLE, _asked(ctx, spent), None, f"settle ${usd(spent):.4f}")


async def deliver_batch(ctx: BatchContext, delivery: Delivery, view: BatchView) -> None:
    """Tell webhook and command of the batch; what cannot be delivered is noted."""
    projects = tuple(
        FinishedProject(
            project_id=one.project_id,
            status=one.status,
            spent_micro=one.spent_micro,
            quality_score=one.quality_score,
            output_dir=one.output_dir,
        )
        for one in view.projects
    )
    await tell(ctx, delivery, finished_run("batch", view.batch_id, view, projects=projects))


def project_delivery(ctx: BatchContext, own: Delivery | None, key: str) -> Delivery | None:
    """What one project delivers by itself: what its file says, and its files to the folder of the batch."""
    given = dated_delivery(ctx, ctx.spec.delivery or _of_schedule(ctx))
    if given.output_dir:
        several = len(ctx.progress.projects) > 1
        folder = {"output_dir": given.output_dir, "folder": key if several else ""}
    elif own is None:
        return None
    else:
        folder = {}
    return (own or Delivery()).model_copy(update={**folder, "timezone": given.timezone, "at_s": given.at_s})


def _of_schedule(ctx: BatchContext) -> Delivery:
    return Delivery(timezone=ctx.spec.schedule.timezone if ctx.spec.schedule else "UTC")


def _asked(ctx: BatchContext, micro: int) -> MonthInput:
    assert ctx.spec.schedule is not None
    first_run = workflow.info().first_execution_run_id  # a backfill may give the same id to another batch
    started_s = ctx.state.clock.started_s
    return MonthInput(terms=ctx.spec.schedule, batch_id=f"{ctx.run_id}/{first_run}", at_s=started_s, wanted_micro=micro)
