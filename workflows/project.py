"""ProjectWorkflow: one project run, from its text to published software. It decides nothing: the core does."""

import asyncio
import re

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.calls import PromptParts
    from orchestrator.contracts.project import BreakerView, BudgetView, Event, ProjectView, TaskView
    from orchestrator.contracts.state import ProjectInput, ProjectState
    from orchestrator.contracts.tools import (
        CallRecord,
        PrepareInput,
        PrepareResult,
    )
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.ledger import Ledger
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.routing import ranked
    from orchestrator.domain.steps import FINAL, TaskState, TaskStatus, skip
    from orchestrator.domain.tasks import Stage, TaskSpec, TaskType

from workflows import views
from workflows.context import RunContext, Stopped
from workflows.integrate import integrate
from workflows.model_calls import PROJECT, Slot, call_model
from workflows.records import flush, publish, save_state, show_search_attributes
from workflows.tasks import run_tasks


@workflow.defn(name=names.PROJECT_WORKFLOW)
class ProjectWorkflow:
    """Owns plan, ledger, breaker and pause of one project."""

    @workflow.init
    def __init__(self, run_input: ProjectInput) -> None:
        spec = run_input.spec
        state = run_input.state or ProjectState(started_s=workflow.time(), ledger=Ledger(max_micro=spec.max_micro))
        self.ctx = RunContext(spec, state)
        self.closed = False

    @workflow.run
    async def run(self, run_input: ProjectInput) -> ProjectView:
        """Drive the run to its end; the result is a ProjectView with all tasks and the manifest."""
        driver = asyncio.create_task(self._drive())
        clock = asyncio.create_task(self._watch_time())
        painter = asyncio.create_task(self._paint())
        try:
            await workflow.wait_condition(driver.done)
        except asyncio.CancelledError:
            self.ctx.stop(ProjectStatus.CANCELLED, "cancelled on request")
            await workflow.wait_condition(driver.done)
        self.closed = True
        await clock
        await painter
        result = await driver
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result is None:
            workflow.continue_as_new(ProjectInput(spec=self.ctx.spec, state=self.ctx.state))
        return result

    # The run

    async def _drive(self) -> ProjectView | None:
        """All phases; None if the run drained and has to continue in a new execution."""
        ctx = self.ctx
        try:
            await self._prepare()
            if not ctx.state.plan:
                await self._plan()
            if ctx.state.plan:
                if ctx.state.phase is not ProjectStatus.INTEGRATING:
                    await self._enter(ProjectStatus.RUNNING)
                await run_tasks(ctx)
                await ctx.gate()
                await self._enter(ProjectStatus.INTEGRATING)
                await integrate(ctx)
        except Stopped:
            if ctx.state.stopped is None:
                await flush(ctx)
                return None
            self._end_open_tasks()
        return await publish(ctx)

    async def _prepare(self) -> None:
        state, spec = self.ctx.state, self.ctx.spec
        if state.prepared is None:
            show_search_attributes(self.ctx, ProjectStatus.PLANNING)
            self.ctx.emit("started", f"budget ${usd(spec.max_micro):.2f}, time limit {spec.time_limit_s:.0f} s")
            state.prepared = await self.ctx.tool(
                names.ACTIVITY_PREPARE,
                PrepareInput(project=spec.project, criteria=spec.criteria),
                PrepareResult,
                "store the texts, look for vendors",
            )
            # From here on the texts are in the store: continue-as-new does not carry them.
            self.ctx.spec = spec.model_copy(update={"project": "", "criteria": ""})

    async def _plan(self) -> None:
        ctx, state = self.ctx, self.ctx.state
        assert state.prepared is not None
        slot = Slot(task=PROJECT, stage=Stage.PLAN, task_type=TaskType.COMPLEX_REASONING)
        ranking = ranked(Stage.PLAN, slot.task_type, ctx.models(), ctx.routing())
        parts = PromptParts(project=state.prepared.project, criteria=state.prepared.criteria)
        result = await call_model(ctx, slot, ranking, parts)
        if isinstance(result, GiveUp):
            state.failure = f"no plan: {result.reason}"
            state.exhausted = result.exhausted
            ctx.emit("plan_failed", result.reason)
            return
        state.plan = result.plan
        for task in result.plan:
            ctx.set_task(task.id, TaskState())
        ctx.emit("planned", f"{len(result.plan)} tasks by {result.model}")

    async def _enter(self, phase: ProjectStatus) -> None:
        """A phase begins: show it, and keep the state for a resume."""
        ctx = self.ctx
        if ctx.state.phase is phase:
            return
        ctx.state.phase = phase
        ctx.emit("phase", phase.value)
        show_search_attributes(ctx, phase)
        await save_state(ctx, views.project_view(ctx, with_tasks=True))

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
            left_s = ctx.spec.time_limit_s - ctx.active_s()
            if left_s <= 0:
                ctx.stop(ProjectStatus.TIMEOUT, f"the time limit of {ctx.spec.time_limit_s:.0f} s is used up")
                return
            try:
                await workflow.wait_condition(
                    lambda: self.closed or ctx.paused, timeout=left_s, timeout_summary="time limit"
                )
            except TimeoutError:
                continue

    async def _paint(self) -> None:
        """Keeps the Web UI's details current: after each event, without events of its own."""
        ctx, shown = self.ctx, 0
        while not self.closed:
            shown = ctx.state.next_event
            workflow.set_current_details(views.details(ctx))
            await workflow.wait_condition(lambda: self.closed or ctx.state.next_event != shown)  # noqa: B023

    # Messages

    @workflow.signal(name=names.SIGNAL_PAUSE, description="Start nothing new; what is in flight finishes.")
    def pause(self, reason: str = "") -> None:
        ctx = self.ctx
        if not ctx.paused:
            ctx.state.paused_at_s = ctx.now_s()
            ctx.state.pause_reason = _one_line(reason)
            ctx.emit("paused", ctx.state.pause_reason)
            show_search_attributes(ctx, ProjectStatus.PAUSED)

    @workflow.signal(name=names.SIGNAL_RESUME, description="Go on after a pause.")
    def resume(self) -> None:
        ctx = self.ctx
        if ctx.state.paused_at_s is not None:
            ctx.state.paused_s += ctx.now_s() - ctx.state.paused_at_s
            ctx.state.paused_at_s = None
            ctx.emit("resumed", "")
            show_search_attributes(ctx, ctx.state.phase)

    @workflow.signal(name=names.SIGNAL_CANCEL_TASK, description="Stop one task; what depends on it is skipped.")
    def cancel_task(self, id: str = "") -> None:
        if id in self.ctx.state.tasks and self.ctx.task(id).status not in FINAL:
            self.ctx.emit("task_cancel_requested", "", id)
            if self.ctx.task(id).status is TaskStatus.PENDING:
                self.ctx.set_task(id, skip(self.ctx.task(id), "cancelled by the user"))
            self.ctx.cancel_task(id)

    @workflow.query(name=names.QUERY_STATUS)
    def status(self) -> ProjectView:
        return views.project_view(self.ctx)

    @workflow.query(name=names.QUERY_TASKS)
    def tasks(self, page: int = 0) -> tuple[TaskView, ...]:
        return views.tasks_page(self.ctx, page)

    @workflow.query(name=names.QUERY_PLAN)
    def plan(self) -> tuple[TaskSpec, ...]:
        return self.ctx.state.plan

    @workflow.query(name=names.QUERY_BUDGET)
    def budget(self) -> BudgetView:
        return views.budget_view(self.ctx)

    @workflow.query(name=names.QUERY_BREAKERS)
    def breakers(self) -> tuple[BreakerView, ...]:
        return views.breaker_views(self.ctx)

    @workflow.query(name=names.QUERY_AUDIT)
    def audit(self, page: int = 0) -> tuple[CallRecord, ...]:
        """Settled calls since the last flush to the store, 200 a page."""
        return tuple(self.ctx.state.records[page * views.PAGE : (page + 1) * views.PAGE])

    @workflow.query(name=names.QUERY_EVENTS)
    def events(self, since: int = 0) -> tuple[Event, ...]:
        """Events after sequence number `since`, those of this execution, at most 500."""
        return tuple(event for event in self.ctx.state.events if event.seq > since)[:500]


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e\u00a0-\ud7ff]+", " ", text)[:200]
