"""From the log and the polled state of a run to typed events and hooks."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from orchestrator.api.events import (
    BudgetWarning,
    ProjectCompleted,
    ProjectEvent,
    ProjectStarted,
    TaskCompleted,
    TaskFailed,
    TaskProgressUpdate,
    TaskStarted,
)
from orchestrator.api.hooks import EventType, HookRegistry
from orchestrator.api.values import Task, TaskResult, number
from orchestrator.client.resuming import ENDED
from orchestrator.client.watching import Runs, follow
from orchestrator.contracts.project import Event, ProjectView, TaskView
from orchestrator.domain.money import usd
from orchestrator.domain.phases import BudgetPhase, crossed, phase_of, phase_spends
from orchestrator.domain.steps import FINAL, USABLE, TaskStatus
from orchestrator.domain.tasks import Stage

TOTAL = "total"  # the whole budget, where phases are told apart


async def happenings(client: Runs, project_id: str) -> AsyncGenerator[Event | ProjectView, None]:
    """Everything that is heard of a run, in order; the last is the view of how it ended.

    Raises UserInputError where there is no such run.
    """
    heard = _Heard()
    watch = asyncio.create_task(follow(client, project_id, heard))
    watch.add_done_callback(lambda _: heard.queue.put_nowait(None))
    try:
        while (one := await heard.queue.get()) is not None:
            yield one
        await watch
    finally:
        watch.cancel()


class _Heard:
    """Progress of a run that is kept until somebody reads it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | ProjectView | None] = asyncio.Queue()

    def event(self, event: Event) -> None:
        self.queue.put_nowait(event)

    def view(self, view: ProjectView) -> None:
        self.queue.put_nowait(view)

    def note(self, text: str) -> None:
        """Troubles of the wait pass."""

    def close(self) -> None:
        """The watch itself tells its end."""


@dataclass
class _Seen:
    """What was told of a task."""

    started: bool = False
    ended: bool = False
    progress: tuple[int, float | None] = (0, None)


@dataclass
class Translator:
    """Turns what is heard of one run into typed events, and calls the hooks. `backend` is the name of the order."""

    hooks: HookRegistry
    backend: str
    tasks: Mapping[str, Task] = field(default_factory=dict)  # known once the plan is
    _planned: bool = False
    _completed: bool = False
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _authors: dict[str, str] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def of_event(self, event: Event) -> None:
        """A line of the log: hooks of what no state tells."""
        if event.kind == "call_started" and event.task:
            stage, *_, model = event.text.split("; not ")[0].split()
            if stage in (Stage.GENERATE, Stage.REVISE, Stage.REPAIR):
                self._authors[event.task] = model
            self.hooks.fire(EventType.MODEL_SELECTED, task_id=event.task, model=model, backend=self.backend)
        elif event.kind == "validated" and event.task:
            failed = _failed(event.text)
            if failed:
                author = self._authors.get(event.task, "")
                self.hooks.fire(EventType.VALIDATION_FAILED, task_id=event.task, model=author, validators=failed)

    def of_view(self, view: ProjectView) -> list[ProjectEvent]:
        """The events since the last view."""
        found: list[ProjectEvent] = []
        if view.tasks and not self._planned:
            self._planned = True
            started = ProjectStarted(
                project_id=view.project_id, total_tasks=view.tasks_total, budget_usd=usd(view.max_micro)
            )
            found.append(started)
        for task in view.tasks:
            found += self._of_task(task)
        found += self._warnings(view)
        if view.status in ENDED and not self._completed:
            self._completed = True
            found.append(_completed(view))
        return found

    def _of_task(self, task: TaskView) -> list[ProjectEvent]:
        seen = self._seen.setdefault(task.id, _Seen())
        status = TaskStatus(task.status)
        found: list[ProjectEvent] = []
        if status is TaskStatus.PENDING or seen.ended:
            return found
        if not seen.started and status is not TaskStatus.SKIPPED:
            seen.started = True
            found.append(TaskStarted(task_id=task.id, task_type=task.type.value, model=task.model))
            self.hooks.fire(EventType.TASK_STARTED, task_id=task.id, task=self.tasks.get(task.id, task))
        if seen.started and seen.progress != (task.iterations, task.score):
            self._retried(task, seen)
            seen.progress = (task.iterations, task.score)
            found.append(
                TaskProgressUpdate(task_id=task.id, iteration=task.iterations, score=task.score, best_score=task.score)
            )
        if status in FINAL:
            seen.ended = True
            found.append(_ended(task, status))
            self.hooks.fire(EventType.TASK_COMPLETED, task_id=task.id, result=result_of(task))
        return found

    def _retried(self, task: TaskView, seen: _Seen) -> None:
        if 0 < seen.progress[0] < task.iterations:
            self.hooks.fire(
                EventType.TASK_RETRY_WITH_HISTORY,
                task_id=task.id,
                iteration=task.iterations,
                attempts=task.attempts,
            )

    def _warnings(self, view: ProjectView) -> list[ProjectEvent]:
        """The lines that spending has reached since the last view: shares of phases, and the whole budget."""
        spends = phase_spends(spent(view), view.max_micro)
        figures = {spend.phase.value: (spend.spent_micro, spend.cap_micro) for spend in spends}
        figures[TOTAL] = (sum(spend.spent_micro for spend in spends), view.max_micro)
        found: list[ProjectEvent] = []
        for line in crossed(spends, view.max_micro):
            if line.name in self._warned:
                continue
            self._warned.add(line.name)
            phase = line.name.split("@")[0]
            spent_micro, cap_micro = figures[phase]
            told = {"spent": usd(spent_micro), "cap": usd(cap_micro), "ratio": spent_micro / cap_micro}
            warning = BudgetWarning(phase=phase, spent_usd=told["spent"], cap_usd=told["cap"], ratio=told["ratio"])
            found.append(warning)
            self.hooks.fire(EventType.BUDGET_WARNING, phase=phase, **told)
        return found


def spent(view: ProjectView) -> dict[BudgetPhase, int]:
    """What each phase has cost, in micro-USD."""
    found: dict[BudgetPhase, int] = {}
    for by_stage in (view.spent_by_stage, *(task.spent_by_stage for task in view.tasks)):
        for stage, amount in by_stage.items():
            phase = phase_of(Stage(stage))
            found[phase] = found.get(phase, 0) + amount
    return found


def result_of(task: TaskView) -> TaskResult:
    """How a task ended, without what the store knows of it."""
    return TaskResult(
        task_id=task.id,
        status=TaskStatus(task.status),
        score=number(task.score),
        files=task.files,
        model_used=task.model,
        reviewer_model=task.reviewer,
        iterations=task.iterations,
        cost_usd=usd(task.spent_micro + task.uncertain_micro),
        critique=task.reason,
        attempt_history=task.attempts,
    )


def _ended(task: TaskView, status: TaskStatus) -> ProjectEvent:
    if status not in USABLE:
        return TaskFailed(task_id=task.id, reason=task.reason, model=task.model)
    return TaskCompleted(
        task_id=task.id,
        score=number(task.score),
        status=status.value,
        model=task.model,
        cost_usd=usd(task.spent_micro + task.uncertain_micro),
        iterations=task.iterations,
    )


def _completed(view: ProjectView) -> ProjectCompleted:
    statuses = [TaskStatus(task.status) for task in view.tasks]
    return ProjectCompleted(
        project_id=view.project_id,
        status=view.status.value,
        total_cost_usd=usd(view.spent_micro + view.uncertain_micro),
        elapsed_seconds=view.elapsed_s,
        tasks_completed=sum(status in USABLE for status in statuses),
        tasks_failed=sum(status not in USABLE for status in statuses),
    )


def _failed(summary: str) -> tuple[str, ...]:
    """The validators that a check's summary says have failed, as in `ruff: 2 finding(s), first ...; pytest: ...`."""
    if summary.startswith("passed:") or ": " not in summary:
        return ()
    return tuple(part.split(":")[0].split(" (")[0] for part in summary.split("; ") if " finding(s), first " in part)
