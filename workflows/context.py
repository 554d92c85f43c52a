"""What every part of a project run shares: its memory, its gates, its log."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import QUEUE_TOOLS
    from orchestrator.contracts.project import Event, ProjectSpec
    from orchestrator.contracts.state import ProjectState, Spending, spent_by_phase
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.integration import Integration
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.phases import crossed, phase_of, phase_spends
    from orchestrator.domain.policy import permitted, refusals
    from orchestrator.domain.refs import BlobRef
    from orchestrator.domain.routing import usable_models
    from orchestrator.domain.steps import TaskState, TaskStatus, skip
    from orchestrator.domain.tasks import Stage, TaskSpec, TaskType

# Temporal retries only attempts that were lost; what vendors and tools say are results of the activity.
LOST_ATTEMPTS = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=5),
)


class Stopped(Exception):
    """No new step may begin: the run is ending, or it drains for continue-as-new."""


class RunContext:
    """One run's memory and the rules of when something may start."""

    def __init__(self, spec: ProjectSpec, state: ProjectState) -> None:
        self.spec = spec
        self.state = state
        self.namespace = workflow.info().namespace
        self.draining = False
        self.ending = False  # too late for any request of an operator
        self.revision = 0  # rises whenever an operator changed what may run
        self.waiters: list[str] = []  # calls that wait for budget, first come, first served
        self.doing: dict[str, list[str]] = {}  # what goes on right now, by task
        self.cancelled_tasks: dict[str, None] = {}
        self._by_phase = spent_by_phase(state)
        self._in_flight: dict[asyncio.Future[Any], str] = {}

    # Time

    def now_s(self) -> float:
        """Workflow time in seconds since the epoch."""
        return workflow.time()

    def active_s(self) -> float:
        """Seconds that count against the time limit: pauses do not."""
        return self.state.clock.active_s(self.now_s())

    def hold(self, hold: Hold, reason: str, by: str = "") -> None:
        """Begin nothing new until it is released."""
        if hold not in self.state.clock.holds:
            self.state.clock = self.state.clock.hold(hold, reason, self.now_s())
            self.revision += 1
            self.emit("paused", reason or hold.value, by=by)

    def release(self, *holds: Hold, by: str = "") -> None:
        """Drop holds; the run goes on once none is left."""
        before = self.state.clock
        for hold in holds:
            self.state.clock = self.state.clock.release(hold, self.now_s())
        self.revision += 1
        if before.held and not self.state.clock.held:
            self.emit("resumed", "", by=by)

    # Gates

    @property
    def paused(self) -> bool:
        return self.state.clock.held

    @property
    def must_stop(self) -> bool:
        """True once nothing new may begin in this execution."""
        if workflow.info().get_current_history_length() >= self.spec.continue_after_events:
            self.draining = True
        return self.draining or self.state.stopped is not None

    async def gate(self, task_id: str = "") -> None:
        """Wait while the run is paused. Raises Stopped if nothing new may begin (for this task)."""
        if self.paused and not self.must_stop:
            await workflow.wait_condition(lambda: not self.paused or self.must_stop or task_id in self.cancelled_tasks)
        if self.must_stop or task_id in self.cancelled_tasks:
            raise Stopped

    async def wait_until(self, time_s: float, task_id: str) -> None:
        """Wait for workflow time `time_s`, less if the run stops."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self.must_stop or task_id in self.cancelled_tasks,
                timeout=max(0.001, time_s - self.now_s()),
                timeout_summary="vendor asked for a wait",
            )

    def stop(self, status: ProjectStatus, reason: str) -> None:
        """End the run: what is in flight is cancelled, nothing new begins."""
        if self.state.stopped is None:
            self.state.stopped = status
            self.state.stop_reason = reason
            self.emit("stopping", f"{status.value}: {reason}")
        for future in list(self._in_flight):
            future.cancel()

    def cancel_task(self, task_id: str, *, by: str = "") -> None:
        """Stop one unfinished task: its requests in flight are cancelled."""
        self.emit("task_cancel_requested", "", task_id, by=by)
        self.revision += 1
        if self.task(task_id).status is TaskStatus.PENDING:
            self.set_task(task_id, skip(self.task(task_id), "skipped by the user", by_user=True))
            return
        self.cancelled_tasks[task_id] = None
        for future, owner in list(self._in_flight.items()):
            if owner == task_id:
                future.cancel()

    async def execute(self, handle: "workflow.ActivityHandle[Any]", task_id: str, doing: str) -> Any:
        """Await an activity that stop() may cancel, shown as what the task is doing."""
        self._in_flight[handle] = task_id
        self.doing.setdefault(task_id, []).append(doing)
        try:
            return await handle
        finally:
            del self._in_flight[handle]
            self.doing[task_id].remove(doing)

    async def tool(self, name: str, argument: Any, result_type: type | None, summary: str) -> Any:
        """Run a tool activity to its end; never cancelled, so that a run always ends with its results stored."""
        timeouts = self.spec.timeouts
        return await workflow.execute_activity(
            name,
            argument,
            task_queue=QUEUE_TOOLS,
            result_type=result_type,
            start_to_close_timeout=timedelta(seconds=timeouts.tool_s),
            schedule_to_close_timeout=timedelta(seconds=timeouts.give_up_s),
            heartbeat_timeout=timedelta(seconds=timeouts.heartbeat_s),
            retry_policy=LOST_ATTEMPTS,
            summary=summary,
        )

    # Memory

    def task(self, task_id: str) -> TaskState:
        return self.state.tasks[task_id]

    def set_task(self, task_id: str, new: TaskState) -> None:
        """Replace a task's state; a change of status is an event."""
        old = self.state.tasks.get(task_id)
        self.state.tasks[task_id] = new
        if old is not None and old.status is not new.status:
            detail = f": {new.reason}" if new.reason else ""
            score = f" {new.best.score:.2f}" if new.best and new.best.score is not None else ""
            self.emit(f"task_{new.status.value.lower()}", f"{new.status.value}{score}{detail}", task_id)

    def reopen(self) -> None:
        """Tasks go on after their end: what integration knows is out of date, and its next calls need new keys."""
        self.state.generation += 1
        self.state.integration = Integration()

    def forget_calls(self, task_id: str) -> None:
        """Calls of a task that nobody will go on with."""
        kept = {name: call for name, call in self.state.calls.items() if not name.startswith(f"{task_id}/")}
        self.state.calls = kept

    def spec_of(self, task_id: str) -> TaskSpec:
        return next(task for task in self.state.plan if task.id == task_id)

    def guidance(self, task_id: str) -> tuple[BlobRef, ...]:
        """What operators want to be heeded in a task."""
        return (*self.state.guidance.get("", ()), *self.state.guidance.get(task_id, ()))

    def models(self) -> tuple[ModelSpec, ...]:
        """Models that this run can use."""
        return permitted(self._usable(), self.spec.policies)

    def forbidden(self) -> tuple[str, ...]:
        """Models that only a policy keeps from being asked, each with the reason."""
        return refusals(self._usable(), self.spec.policies) if self.spec.policies else ()

    def _usable(self) -> tuple[ModelSpec, ...]:
        prepared = self.state.prepared
        return usable_models(self.spec.models, prepared.vendors if prepared else ())

    def routing(self) -> dict[TaskType, tuple[str, ...]]:
        return self.spec.simulated_routing if self.simulated() else self.spec.routing

    def simulated(self) -> bool:
        """True if simulated models do the work."""
        models = self.models()
        return bool(models) and models[0].simulated

    def spend(self, task_id: str, stage: str, cost_micro: int, uncertain_micro: int) -> None:
        """Book one request under its owner."""
        old = self.state.spending.get(task_id, Spending())
        by_stage = {**old.by_stage, stage: old.by_stage.get(stage, 0) + cost_micro}
        uncertain = old.uncertain
        if uncertain_micro:
            uncertain = {**uncertain, stage: uncertain.get(stage, 0) + uncertain_micro}
        self.state.spending[task_id] = Spending(by_stage=by_stage, uncertain=uncertain, calls=old.calls + 1)
        self._count_phase(stage, cost_micro + uncertain_micro)
        spends = phase_spends(self._by_phase, self.state.ledger.max_micro)
        for warning in crossed(spends, self.state.ledger.max_micro):
            if warning.name not in self.state.warned:
                self.state.warned = (*self.state.warned, warning.name)
                self.emit("budget_warning", warning.text)

    def _count_phase(self, stage: str, amount_micro: int) -> None:
        phase = phase_of(Stage(stage))
        self._by_phase[phase] = self._by_phase.get(phase, 0) + amount_micro

    def reconcile_spending(self, key: str, actual_micro: int, booked_micro: int) -> None:
        """Move a call's charge from uncertain to spent, under its owner. `key` is a call key's text."""
        _, _, task_id, _, stage, *_ = key.split("/")
        old = self.state.spending[task_id]
        left = old.uncertain.get(stage, 0) - booked_micro
        self.state.spending[task_id] = Spending(
            by_stage={**old.by_stage, stage: old.by_stage.get(stage, 0) + actual_micro},
            uncertain={
                **{k: v for k, v in old.uncertain.items() if k != stage},
                **({stage: left} if left else {}),
            },
            calls=old.calls,
        )
        self._count_phase(stage, actual_micro - booked_micro)

    def emit(self, kind: str, text: str, task_id: str = "", *, by: str = "") -> None:
        """Append to the event log. `by`: the operator who asked for it."""
        seq = self.state.next_event
        event = Event(seq=seq, time_s=self.now_s(), kind=kind, task=task_id, text=text[:300], by=by)
        self.state.events.append(event)
        self.state.next_event = seq + 1

    def note(self, text: str) -> None:
        """Something that the result and the report must say; once."""
        if text not in self.state.notes:
            self.state.notes = (*self.state.notes, text)
