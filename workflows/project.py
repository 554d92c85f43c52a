"""ProjectWorkflow: one project run, from its text to published software. It decides nothing: the core does."""

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.calls import PromptParts
    from orchestrator.contracts.project import BudgetView, ProjectView, TaskView
    from orchestrator.contracts.state import ProjectInput, ProjectState, budget_view
    from orchestrator.contracts.tools import PrepareInput, PrepareResult
    from orchestrator.domain.advising import architecture_lines
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.clock import Clock, Hold
    from orchestrator.domain.enhancing import Enhancement
    from orchestrator.domain.ledger import Ledger
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.reopening import unfinished
    from orchestrator.domain.routing import Work
    from orchestrator.domain.steps import FINAL, TaskState
    from orchestrator.domain.tasks import PROJECT, Stage, TaskSpec, TaskType
    from orchestrator.domain.text import duration, one_line

from workflows import views
from workflows.briefing import advise, enhance
from workflows.context import RunContext
from workflows.delivering import deliver_project
from workflows.driven import CallingRun
from workflows.driven_context import Stopped
from workflows.foundation import lay_out
from workflows.integrate import integrate
from workflows.membership import tell_batch
from workflows.model_calls import call_model
from workflows.records import flush, publish, save_state, show_search_attributes
from workflows.steering import Steering
from workflows.tasks import run_tasks


@workflow.defn(name=names.PROJECT_WORKFLOW)
class ProjectWorkflow(Steering, CallingRun):
    """Owns plan, ledger, breaker and pause of one project."""

    ctx: RunContext

    @workflow.init
    def __init__(self, run_input: ProjectInput) -> None:
        spec = run_input.spec
        clock = Clock(started_s=workflow.time())
        state = run_input.state or ProjectState(
            clock=clock,
            ledger=Ledger(max_micro=spec.max_micro),
            time_limit_s=spec.time_limit_s,
            concurrency=spec.concurrency,
            overrides=spec.overrides,
        )
        if run_input.resumed:
            state.clock = clock
        self.ctx = RunContext(spec, state)
        if run_input.resumed:
            self.ctx.emit("restarted", "goes on where the last run stopped", by=one_line(run_input.by))

    @workflow.run
    async def run(self, run_input: ProjectInput) -> ProjectView:
        """Drive the run to its end; the result is a ProjectView with all tasks and the manifest."""
        result = await self.conduct(self._drive_and_tell(), self._watch_time())
        if result is None:
            workflow.continue_as_new(ProjectInput(spec=self.ctx.spec, state=self.ctx.state))
        return result

    # The run

    async def _drive_and_tell(self) -> ProjectView | None:
        """The run, and a word to the batch that waits for it."""
        view = await self._drive()
        if view is not None and self.ctx.spec.batch is not None:
            await tell_batch(self.ctx.spec.batch, view)
        return view

    async def _drive(self) -> ProjectView | None:
        """All phases; None if the run drained and has to continue in a new execution."""
        ctx = self.ctx
        try:
            await self._prepare()
            await enhance(ctx)
            await advise(ctx)
            if not ctx.state.plan and not ctx.state.failure:
                await self._plan()
            if ctx.state.plan:
                await self._approval()
                await self._carry_out()
        except Stopped:
            if ctx.state.stopped is None:
                await flush(ctx)
                return None
            self._end_open_tasks()
        return await self._delivered(await publish(ctx))

    async def _delivered(self, view: ProjectView) -> ProjectView:
        """The result, once everybody who wanted it has it."""
        spec = self.ctx.spec
        if spec.delivery is None or spec.plan_only or spec.advise_only:
            return view
        view = await deliver_project(self.ctx, spec.delivery, view)
        await save_state(self.ctx, view)
        return view

    async def _prepare(self) -> None:
        state, spec = self.ctx.state, self.ctx.spec
        if state.prepared is None:
            show_search_attributes(self.ctx, ProjectStatus.PLANNING)
            self.ctx.emit("started", f"budget ${usd(spec.max_micro):.2f}, time limit {duration(state.time_limit_s)}")
            state.prepared = await self.ctx.tool(
                names.ACTIVITY_PREPARE,
                PrepareInput(project=spec.project, criteria=spec.criteria, queues=self.ctx.queues()),
                PrepareResult,
                "store the texts, look for vendors",
            )
            # From here on the texts are in the store: continue-as-new does not carry them.
            self.ctx.spec = spec.model_copy(update={"project": "", "criteria": ""})

    async def _plan(self) -> None:
        ctx, state = self.ctx, self.ctx.state
        assert state.prepared is not None
        work = Work(task=PROJECT, type=TaskType.COMPLEX_REASONING, stage=Stage.PLAN)
        parts = PromptParts(
            project=state.prepared.project,
            criteria=state.prepared.criteria,
            architecture=architecture_lines(state.architecture) if state.architecture else (),
            app_type=state.architecture.app_type if state.architecture else None,
        )
        result = await call_model(ctx, work, parts, generation=state.generation)
        if isinstance(result, GiveUp):
            state.failure = f"no plan: {result.reason}"
            state.exhausted = result.exhausted
            ctx.emit("plan_failed", result.reason)
            return
        state.plan, state.packages = result.plan, result.packages
        for task in result.plan:
            ctx.set_task(task.id, TaskState())
        ctx.emit("planned", f"{len(result.plan)} tasks by {result.model}")

    async def _approval(self) -> None:
        """Wait for a person where one wants to see the plan first."""
        ctx = self.ctx
        if ctx.spec.plan_only:
            ctx.stop(ProjectStatus.CANCELLED, f"planned only; 'orch-cli resume {ctx.spec.project_id}' carries it out")
        if ctx.spec.approve_plan and not ctx.state.approved:
            ctx.hold(Hold.APPROVAL, "the plan waits for approval")
            await self._publish_state()
        await ctx.gate()

    async def _carry_out(self) -> None:
        """All tasks, then integration; again while operators bring tasks back."""
        ctx = self.ctx
        while True:
            if ctx.state.phase is not ProjectStatus.INTEGRATING:
                await self._enter(ProjectStatus.RUNNING)
            await lay_out(ctx)
            await run_tasks(ctx)
            await ctx.gate()
            if not unfinished(ctx.state.tasks):
                await self._enter(ProjectStatus.INTEGRATING)
                await lay_out(ctx)  # the plan may have been edited meanwhile
                await integrate(ctx)
            if not unfinished(ctx.state.tasks):
                return
            await self._enter(ProjectStatus.RUNNING)

    async def _enter(self, phase: ProjectStatus) -> None:
        """A phase begins: show it, and keep the state for a resume."""
        ctx = self.ctx
        if ctx.state.phase is phase:
            return
        ctx.state.phase = phase
        ctx.emit("phase", phase.value)
        await self._publish_state()

    async def _publish_state(self) -> None:
        """Show what the run is doing, and keep its state for a resume."""
        show_search_attributes(self.ctx, views.status(self.ctx))
        await save_state(self.ctx, views.project_view(self.ctx, with_tasks=True))

    def _end_open_tasks(self) -> None:
        """After a stop: tasks that never ran stay pending in the state, and say why nothing came of them."""
        reason = self.ctx.state.stop_reason
        for task_id, state in self.ctx.state.tasks.items():
            if state.status not in FINAL and not state.reason:
                self.ctx.set_task(task_id, state.model_copy(update={"reason": reason}))

    # Beside the run

    async def _watch_time(self) -> None:
        """Ends the run when its active time is used up."""
        ctx = self.ctx
        while not self.closed:
            if ctx.paused:
                await workflow.wait_condition(lambda: self.closed or not ctx.paused)
                continue
            limit_s = ctx.state.time_limit_s
            left_s = limit_s - ctx.active_s()
            if left_s <= 0:
                ctx.stop(ProjectStatus.TIMEOUT, f"the time limit of {duration(limit_s)} is used up")
                return
            try:
                await workflow.wait_condition(
                    lambda: self.closed or ctx.paused or ctx.state.time_limit_s != limit_s,  # noqa: B023
                    timeout=left_s,
                    timeout_summary="time limit",
                )
            except TimeoutError:
                continue

    def details(self) -> Callable[[], str]:
        return views.Details(self.ctx).text

    def show(self) -> None:
        show_search_attributes(self.ctx, views.status(self.ctx))

    # Messages

    @workflow.signal(name=names.SIGNAL_CANCEL_TASK, description="Stop one task; what depends on it is skipped.")
    def cancel_task(self, id: str = "", by: str = "") -> None:
        if id in self.ctx.state.tasks and self.ctx.task(id).status not in FINAL:
            self.ctx.cancel_task(id, by=one_line(by))

    @workflow.query(name=names.QUERY_STATUS)
    def status(self) -> ProjectView:
        return views.project_view(self.ctx)

    @workflow.query(name=names.QUERY_TASKS)
    def tasks(self, page: int = 0) -> tuple[TaskView, ...]:
        return views.tasks_page(self.ctx, page)

    @workflow.query(name=names.QUERY_SUGGESTIONS)
    def suggestions(self) -> Enhancement | None:
        """What was suggested and chosen; None where nobody was asked yet."""
        return self.ctx.state.enhancement

    @workflow.query(name=names.QUERY_PLAN)
    def plan(self) -> tuple[TaskSpec, ...]:
        return self.ctx.state.plan

    @workflow.query(name=names.QUERY_BUDGET)
    def budget(self) -> BudgetView:
        return budget_view(self.ctx.state, len(self.ctx.waiters), self.ctx.active_s())
