"""PipelineWorkflow: one run of a pipeline. It decides nothing: the core does."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.pipeline import (
        PipelineInput,
        PipelineMemory,
        PipelineView,
        Prepared,
        PrepareRun,
        PublishedRun,
        PublishRun,
    )
    from orchestrator.domain.breaker import Breakers
    from orchestrator.domain.clock import Clock
    from orchestrator.domain.ledger import Ledger
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.pipeline_machine import is_over, start, stopped
    from orchestrator.domain.pipeline_outcome import pipeline_ending
    from orchestrator.domain.pipeline_reopening import reopened
    from orchestrator.domain.text import one_line

from workflows import pipeline_views as shown
from workflows.driven import CallingRun
from workflows.pipeline_context import PipelineContext
from workflows.pipeline_steps import run_steps
from workflows.records import flush, reconcile


@workflow.defn(name=names.PIPELINE_WORKFLOW)
class PipelineWorkflow(CallingRun):
    """Owns progress, ledger, breaker and pause of one run."""

    ctx: PipelineContext

    @workflow.init
    def __init__(self, run_input: PipelineInput) -> None:
        spec = run_input.spec
        state = run_input.state or PipelineMemory(
            clock=Clock(started_s=workflow.time()), ledger=Ledger(max_micro=spec.max_micro)
        )
        self.ctx = PipelineContext(spec, state)
        self.resumed = run_input.resumed
        if run_input.resumed:
            self._reopen(one_line(run_input.by))

    @workflow.run
    async def run(self, run_input: PipelineInput) -> PipelineView:
        """Drive the run to its end; the result is a PipelineView with all steps."""
        result = await self.conduct(self._drive())
        if result is None:
            workflow.continue_as_new(PipelineInput(spec=self.ctx.spec, state=self.ctx.state))
        return result

    async def _drive(self) -> PipelineView | None:
        """All steps; None if the run drained and has to continue in a new execution."""
        ctx = self.ctx
        await self._prepare()
        await run_steps(ctx)
        if ctx.state.stopped is None and not is_over(ctx.plan, ctx.state.progress):
            await flush(ctx)
            return None
        return await self._publish()

    async def _prepare(self) -> None:
        ctx, spec = self.ctx, self.ctx.spec
        if ctx.state.prepared is not None and not self.resumed:
            return
        shown.show_search_attributes(ctx, ProjectStatus.RUNNING)
        cap = f"budget ${usd(spec.max_micro):.2f}" if spec.capped else "no budget"
        if not self.resumed:
            ctx.emit("started", f"{spec.plan.spec.name or 'pipeline'} {spec.plan.spec.version}, {cap}"[:200])
        given = PrepareRun(plan=spec.plan, inputs=spec.inputs, queues=ctx.queues())
        summary = "store the texts, look for vendors"
        found: Prepared = await ctx.tool(names.ACTIVITY_PIPELINE_PREPARE, given, Prepared, summary)
        if ctx.state.prepared is not None:  # the vendors may be others by now
            ctx.state.prepared = ctx.state.prepared.model_copy(update={"vendors": found.vendors})
            return
        ctx.state.prepared = found
        for model in spec.unpriced:
            ctx.note(f"the price of {model} is not known: its calls are not counted in what was spent")
        # From here on the inputs are in the store: continue-as-new does not carry them.
        ctx.spec = spec.model_copy(update={"inputs": {}})
        ctx.advance(start(ctx.plan, ctx.prepared.inputs, ctx.clock_s()))

    def _reopen(self, by: str) -> None:
        """An ended run goes on: its money and its log stay, its troubles are forgotten."""
        ctx, state = self.ctx, self.ctx.state
        state.clock = Clock(started_s=workflow.time())
        state.phase, state.stopped, state.stop_reason = ProjectStatus.RUNNING, None, ""
        state.exhausted = state.timed_out = False
        state.attempts, state.breakers = {}, Breakers()
        state.generation += 1
        ctx.emit("restarted", "goes on where the last run stopped", by=by)
        ctx.advance(reopened(ctx.plan, state.progress, ctx.clock_s()))

    async def _publish(self) -> PipelineView:
        """Reconcile uncertain charges, decide the status, keep view and logs."""
        ctx, state = self.ctx, self.ctx.state
        ctx.ending = True
        await reconcile(ctx)
        end = pipeline_ending(
            state.progress,
            state.stopped,
            state.stop_reason,
            exhausted=state.exhausted,
            timed_out=state.timed_out,
        )
        ctx.advance(stopped(ctx.plan, state.progress, ctx.clock_s()))
        ctx.emit("finished", f"{end.status.value}{': ' + end.reason if end.reason else ''}")
        state.phase = end.status
        await flush(ctx)
        view = shown.pipeline_view(ctx, end)
        given = PublishRun(
            namespace=ctx.namespace,
            run_id=ctx.run_id,
            input_json=PipelineInput(spec=ctx.spec, state=state, resumed=True).model_dump_json(),
            calls=state.record_segments,
            events=state.event_segments,
        )
        try:
            name, summary = names.ACTIVITY_PIPELINE_PUBLISH, "result and logs"
            published: PublishedRun = await ctx.tool(name, given, PublishedRun, summary)
            view = view.model_copy(update={"events": published.events, "records": published.records})
        except ActivityError as error:
            reason = one_line(str(error.cause or error))
            view = view.model_copy(update={"notes": (*view.notes, f"the logs could not be kept: {reason}")})
        shown.show_search_attributes(ctx, end.status)
        workflow.set_current_details(shown.PipelineDetails(ctx).text(end))
        return view

    def details(self) -> Callable[[], str]:
        return shown.PipelineDetails(self.ctx).text

    def show(self) -> None:
        shown.show_search_attributes(self.ctx, shown.status(self.ctx))

    @workflow.query(name=names.QUERY_STATUS)
    def status(self) -> PipelineView:
        return shown.pipeline_view(self.ctx)
