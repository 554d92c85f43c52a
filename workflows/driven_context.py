"""What every run shares: its clock, its gates, its tools, its log."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Protocol

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import QUEUE_TOOLS
    from orchestrator.contracts.project import Event, Timeouts
    from orchestrator.contracts.state import RunLog
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.outcome import ProjectStatus

# Temporal retries only attempts that were lost; what vendors and tools say are results of the activity.
LOST_ATTEMPTS = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=5),
)


class Stopped(Exception):
    """No new step may begin: the run is ending, or it drains for continue-as-new."""


class DrivenSpec(Protocol):
    """What a run's input says about how it is driven."""

    @property
    def timeouts(self) -> Timeouts: ...

    @property
    def continue_after_events(self) -> int: ...


class DrivenContext:
    """One run's memory and the rules of when something may start."""

    spec: DrivenSpec
    state: RunLog

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.namespace = workflow.info().namespace
        self.draining = False
        self.ending = False  # too late for any request of an operator
        self.revision = 0  # rises whenever an operator changed what may run
        self.doing: dict[str, list[str]] = {}  # what goes on right now, by task
        self.cancelled_tasks: dict[str, None] = {}
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

    def cancel_in_flight(self, task_id: str) -> None:
        """Cancel what one task has in flight."""
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
        return await self.start_tool(name, argument, result_type, summary)

    def start_tool(
        self, name: str, argument: Any, result_type: type | None, summary: str
    ) -> "workflow.ActivityHandle[Any]":
        """Begin a tool activity."""
        timeouts = self.spec.timeouts
        return workflow.start_activity(
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

    # Log

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
