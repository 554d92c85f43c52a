"""BatchWorkflow: many projects under one budget, a few at a time. It decides nothing: the core does."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.batch import (
        BatchInput,
        BatchMemory,
        BatchView,
        OpenBatch,
        OpenedBatch,
        PublishBatch,
        PublishedBatch,
    )
    from orchestrator.contracts.messages import SetBudget
    from orchestrator.domain.batch import BatchState, ProjectEnd, batch_ending, cannot_have, with_budget
    from orchestrator.domain.clock import Clock
    from orchestrator.domain.money import usd
    from orchestrator.domain.text import one_line

from workflows import batch_views as shown
from workflows.batch_context import BatchContext
from workflows.batch_delivery import deliver_batch, reserve_month, settle_month
from workflows.batch_projects import look_after, run_projects
from workflows.driven import DrivenRun, reject
from workflows.records import flush_events


@workflow.defn(name=names.BATCH_WORKFLOW)
class BatchWorkflow(DrivenRun):
    """Owns budget, window and pause of one batch; its projects outlive it."""

    ctx: BatchContext

    @workflow.init
    def __init__(self, run_input: BatchInput) -> None:
        state = run_input.state or BatchMemory(clock=Clock(started_s=workflow.time()))
        self.ctx = BatchContext(run_input.spec, state)

    @workflow.run
    async def run(self, run_input: BatchInput) -> BatchView:
        """Drive the batch to its end; the result is a BatchView with all projects."""
        result = await self.conduct(self._drive(one_line(run_input.by)), look_after(self.ctx, lambda: self.closed))
        if result is None:
            workflow.continue_as_new(BatchInput(spec=self.ctx.spec, state=self.ctx.state))
        return result

    async def _drive(self, by: str) -> BatchView | None:
        """All projects; None if the batch has to continue in a new execution, its projects running."""
        ctx = self.ctx
        if ctx.state.progress is None:
            await self._open(by)
        await run_projects(ctx)
        if not ctx.progress.over:
            await flush_events(ctx)
            await self._keep(shown.batch_view(ctx))
            return None
        return await self._publish()

    async def _open(self, by: str) -> None:
        ctx, spec = self.ctx, self.ctx.spec
        given = OpenBatch(manifest=spec.manifest)
        opened: OpenedBatch = await ctx.tool(names.ACTIVITY_BATCH_OPEN, given, OpenedBatch, "read what is to run")
        max_micro = await reserve_month(ctx, opened.projects)
        ctx.state.progress = BatchState(max_micro=max_micro, concurrency=spec.concurrency, projects=opened.projects)
        text = f"{len(opened.projects)} projects, {spec.concurrency} at a time, budget ${usd(max_micro):.2f}"
        ctx.emit("started", text, by=by)
        self.show()
        await self._keep(shown.batch_view(ctx))

    async def _publish(self) -> BatchView:
        """Decide the status, keep view and log."""
        ctx = self.ctx
        ctx.ending = True
        end = batch_ending(ctx.progress, ctx.state.stopped, ctx.state.stop_reason)
        ctx.emit("finished", f"{end.status.value}{': ' + end.reason if end.reason else ''}")
        await settle_month(ctx)
        if ctx.spec.delivery is not None:
            await deliver_batch(ctx, ctx.spec.delivery, shown.batch_view(ctx, end))
        await flush_events(ctx)
        view = shown.batch_view(ctx, end)
        try:
            published = await self._keep(view, ended=True)
            view = view.model_copy(update={"events": published.events})
        except ActivityError as error:
            reason = one_line(str(error.cause or error))
            view = view.model_copy(update={"notes": (*view.notes, f"the log could not be kept: {reason}")})
        shown.show_search_attributes(ctx, end.status)
        workflow.set_current_details(shown.batch_details(ctx, end))
        return view

    async def _keep(self, view: BatchView, *, ended: bool = False) -> PublishedBatch:
        given = PublishBatch(
            namespace=self.ctx.namespace, view=view, events=self.ctx.state.event_segments if ended else ()
        )
        summary = "result and log" if ended else "how it stands"
        published: PublishedBatch = await self.ctx.tool(names.ACTIVITY_BATCH_PUBLISH, given, PublishedBatch, summary)
        return published

    def details(self) -> "shown.Details":
        return lambda: shown.batch_details(self.ctx)

    def show(self) -> None:
        shown.show_search_attributes(self.ctx, shown.status(self.ctx))

    @workflow.signal(name=names.SIGNAL_PROJECT_ENDED, description="A project of the batch has ended.")
    def project_ended(self, end: ProjectEnd) -> None:
        self.ctx.book(end)

    @workflow.update(name=names.UPDATE_SET_BUDGET, description="A new budget of the batch in micro-USD.")
    def set_budget(self, request: SetBudget) -> str:
        """Change the shared budget; projects that were refused money come back where the new one allows it."""
        ctx = self.ctx
        ctx.state.progress = with_budget(ctx.progress, request.max_micro)
        ctx.revision += 1
        text = f"the budget is ${usd(request.max_micro):.6f}"
        ctx.emit("budget_set", text, by=one_line(request.by))
        return text

    @set_budget.validator
    def _check_budget(self, request: SetBudget) -> None:
        ctx = self.ctx
        if ctx.ending or ctx.state.progress is None or ctx.state.stopped is not None:
            reject("the batch is just beginning or ending")
        terms = ctx.spec.schedule
        if terms is not None and terms.month_micro is not None and request.max_micro > ctx.progress.max_micro:
            reject(f"schedule {terms.name} has a budget for the month, of which this is the batch's part; raise that")
        reject(cannot_have(ctx.progress, request.max_micro))

    @workflow.query(name=names.QUERY_STATUS)
    def status(self) -> BatchView:
        return shown.batch_view(self.ctx)
