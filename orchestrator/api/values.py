"""What goes into a run and what comes out of it: budget, job, tasks, results, state."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orchestrator.client.spec import DEFAULT_BUDGET, DEFAULT_TIME_LIMIT, parse_time_limit
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.apps import AppType, Architecture
from orchestrator.domain.base import Frozen
from orchestrator.domain.phases import BudgetPhase
from orchestrator.domain.steps import TaskStatus
from orchestrator.domain.tasks import TaskType


class Budget(Frozen):
    """Most to spend and longest run; in a run's state also what was spent. Money in USD, times in seconds."""

    max_usd: float = Field(default=float(DEFAULT_BUDGET), gt=0)
    max_time_seconds: float = Field(default=parse_time_limit(DEFAULT_TIME_LIMIT), gt=0)
    spent_usd: float = 0.0  # calls whose fate is unknown are booked at their upper bound
    elapsed_seconds: float = 0.0
    phase_spent: dict[BudgetPhase, float] = {}

    @property
    def remaining_usd(self) -> float:
        return max(0.0, self.max_usd - self.spent_usd)

    @property
    def remaining_seconds(self) -> float:
        return max(0.0, self.max_time_seconds - self.elapsed_seconds)

    def can_afford(self, usd: float) -> bool:
        """Whether this much is left."""
        return usd <= self.remaining_usd

    def time_remaining(self) -> bool:
        """Whether time is left."""
        return self.remaining_seconds > 0

    def to_dict(self) -> dict[str, Any]:
        """All fields, and what remains."""
        remaining = {"remaining_usd": self.remaining_usd, "remaining_seconds": self.remaining_seconds}
        return {**self.model_dump(mode="json"), **remaining}


class JobSpec(Frozen):
    """One job of `Orchestrator.run_job`.

    `quality_targets`: scores from 0 to 1 at which tasks of a type are accepted. `advise`: an architecture is asked for
    and a scaffold laid below the software, which an `app_type` asks for as well.
    """

    project_description: str
    success_criteria: str
    budget: Budget = Budget()
    quality_targets: dict[TaskType, float] = {}
    max_parallel_tasks: int | None = None
    project_id: str = ""
    app_type: AppType | None = None
    advise: bool = False


class Task(Frozen):
    """One task of a plan. `target_paths` are the files that it writes."""

    id: str
    type: TaskType
    prompt: str
    title: str = ""
    dependencies: tuple[str, ...] = ()
    target_paths: tuple[str, ...] = ()
    hard_validators: tuple[str, ...] = ()

    def planned(self) -> PlannedTask:
        """The task as a run takes it."""
        return PlannedTask(
            id=self.id,
            title=self.title or self.id,
            type=self.type,
            prompt=self.prompt,
            dependencies=list(self.dependencies),
            files=list(self.target_paths),
            validators=list(self.hard_validators),
        )


def task_of(planned: PlannedTask) -> Task:
    """A task of a plan as the user of the API sees it."""
    return Task(
        id=planned.id,
        type=planned.type,
        prompt=planned.prompt,
        title=planned.title,
        dependencies=tuple(planned.dependencies),
        target_paths=tuple(planned.files),
        hard_validators=tuple(planned.validators),
    )


class TaskResult(Frozen):
    """How one task ended. `score` is not a number where nobody scored it; models are ids, empty where none did it.

    `output` is the text of the task's files; of several files each comes after a line with its path.
    """

    task_id: str
    status: TaskStatus
    score: float
    output: str = ""
    files: tuple[str, ...] = ()
    model_used: str = ""
    reviewer_model: str = ""
    tokens_used: dict[str, int] = {}  # input and output
    iterations: int = 0
    cost_usd: float = 0.0
    critique: str = ""  # why the task is not complete
    attempt_history: tuple[str, ...] = ()  # one line for each attempt before the last

    @property
    def deterministic_check_passed(self) -> bool:
        """Whether there is a result that no validator rejects."""
        return self.status in (TaskStatus.COMPLETED, TaskStatus.DEGRADED)


class ProjectState(Frozen):
    """A run as it ended, or as it was when its state was read.

    `overall_quality_score` is not a number where nothing was scored. `simulated`: built-in models did the work.
    """

    project_id: str
    project_description: str
    success_criteria: str
    status: ProjectStatus
    budget: Budget
    tasks: dict[str, Task]
    results: dict[str, TaskResult]
    execution_order: tuple[str, ...]
    overall_quality_score: float
    architecture: Architecture | None = None
    simulated: bool = False
    reason: str = ""
    calls: int = 0


def number(score: float | None) -> float:
    """A score, not a number where there is none."""
    return math.nan if score is None else score


def joined(files: Mapping[str, bytes]) -> str:
    """The text of files, each after a line with its path where there are several."""
    texts = {path: data.decode(errors="replace") for path, data in files.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"# {path}\n{text}" for path, text in texts.items())
