"""What happens in a run, typed: as `run_project_streaming` yields it and the event bus distributes it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from orchestrator.domain.base import Frozen


class ProjectEvent(Frozen):
    """Base of all events. `type` is the name of the class, `data` its fields."""

    @property
    def type(self) -> str:
        return type(self).__name__

    @property
    def data(self) -> dict[str, Any]:
        return self.model_dump()


class ProjectStarted(ProjectEvent):
    """The plan is there."""

    project_id: str
    total_tasks: int
    budget_usd: float


class TaskStarted(ProjectEvent):
    """A task's first call was made, to `model`."""

    task_id: str
    task_type: str
    model: str


class TaskProgressUpdate(ProjectEvent):
    """A task has a new score, or begins another iteration; scores are from 0 to 1, None before there is one."""

    task_id: str
    iteration: int
    score: float | None
    best_score: float | None


class TaskCompleted(ProjectEvent):
    """A task has a result: `status` is COMPLETED, or DEGRADED where it is below its target."""

    task_id: str
    score: float
    status: str
    model: str
    cost_usd: float
    iterations: int


class TaskFailed(ProjectEvent):
    """A task ended without a result, or was skipped."""

    task_id: str
    reason: str
    model: str


class BudgetWarning(ProjectEvent):
    """A phase has used up its share of the budget, or twice that; `phase` "total": 80 or 95 % of all is used."""

    phase: str
    spent_usd: float
    cap_usd: float
    ratio: float


class ProjectCompleted(ProjectEvent):
    """The run has ended."""

    project_id: str
    status: str
    total_cost_usd: float
    elapsed_seconds: float
    tasks_completed: int
    tasks_failed: int


class ProjectEventBus:
    """The events of an orchestrator's latest run, for any number of subscribers, at any time."""

    def __init__(self) -> None:
        self._events: list[ProjectEvent] = []
        self._ended = False
        self._changed = asyncio.Condition()

    def begin(self) -> None:
        """A run begins: its events are the ones that subscribers get from now on, those who wait for it included."""
        if self._events or self._ended:
            self._events = []
            self._ended = False

    async def publish(self, event: ProjectEvent) -> None:
        """Give an event to all subscribers."""
        async with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    async def end(self) -> None:
        """There are no more events of this run."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def subscribe(self) -> AsyncIterator[ProjectEvent]:
        """All events of the run, also those before the subscription; ends when the run has ended."""
        events, given = self._events, 0
        while True:
            async with self._changed:
                while not (self._over(events) or len(events) > given):
                    await self._changed.wait()
                new, last = events[given:], self._over(events)
            for event in new:
                yield event
            given += len(new)
            if last and given == len(events):
                return

    def _over(self, events: list[ProjectEvent]) -> bool:
        """Whether nothing comes after `events`: their run has ended, or another one has begun."""
        return self._ended or events is not self._events
