"""What tasks will cost: from their size, and from what such tasks cost before."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import Field

from orchestrator.api.values import Budget, Task
from orchestrator.catalog import ROUTING, load_catalog
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.usable import models_here
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.forecast import Forecast, NoModelError, forecast
from orchestrator.domain.graph import mermaid
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import usd
from orchestrator.domain.phases import BudgetPhase, phase_of
from orchestrator.domain.routing import ProjectModels
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.domain.workload import task_size
from orchestrator.settings import Settings, load_settings

_HIGH, _MEDIUM = 0.8, 0.5  # of the budget
_CONCURRENCY = 8


class RiskLevel(StrEnum):
    """How the expected cost stands to the budget: below half of it, below four fifths, or above."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class CostPredictor:
    """Learns what a task of a type costs when a model writes it: a moving average, new costs weighted by `alpha`.

    Give it to an `Orchestrator`, whose runs teach it.
    """

    def __init__(self, alpha: float = 0.1) -> None:
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must be above 0 and at most 1; got {alpha}")
        self._alpha = alpha
        self._known: dict[tuple[str, TaskType], float] = {}

    def record(self, model: str, task_type: TaskType, cost_usd: float) -> None:
        """One finished task of a model (its id)."""
        before = self._known.get((model, task_type))
        self._known[model, task_type] = cost_usd if before is None else before + self._alpha * (cost_usd - before)

    def predict(self, model: str, task_type: TaskType) -> float | None:
        """What such a task costs in USD; None where none was seen."""
        return self._known.get((model, task_type))


class ForecastReport(Frozen):
    """What tasks will cost, in USD, and how long they take. The expected total is the sum of its tasks and the plan."""

    estimated_total_usd: float
    low_usd: float
    high_usd: float
    estimated_seconds: float
    risk_level: RiskLevel
    by_task: dict[str, float]
    by_phase: dict[BudgetPhase, float] = Field(default_factory=dict)


class ExecutionPlan(Frozen):
    """What a run would do: its tasks, those that can be done side by side as `levels`, and the forecast.

    `spent_usd` is what planning has cost; `Orchestrator.run_project(project_id=...)` carries this very plan out.
    """

    project_id: str
    tasks: tuple[Task, ...]
    levels: tuple[tuple[str, ...], ...]
    forecast: ForecastReport
    spent_usd: float

    @property
    def estimated_total_usd(self) -> float:
        return self.forecast.estimated_total_usd

    def mermaid(self) -> str:
        """The graph of the tasks."""
        return mermaid([task_size(task.planned()) for task in self.tasks])


class CostForecaster:
    """Forecasts of tasks that are known."""

    @staticmethod
    def forecast(
        tasks: Sequence[Task],
        profiles: Mapping[str, ModelSpec],
        predictor: CostPredictor,
        budget: Budget,
        *,
        settings: Settings | None = None,
    ) -> ForecastReport:
        """What `tasks` will cost. `profiles`: the models to reckon with, by id; without any, those usable here.

        Raises PrerequisiteError where no model has a known price.
        """
        chosen = tuple(profiles.values()) or _models(settings or load_settings())
        return report_of(tasks, chosen, predictor, budget)


def report_of(
    tasks: Sequence[Task], models: Sequence[ModelSpec], predictor: CostPredictor, budget: Budget
) -> ForecastReport:
    """The forecast of tasks whose plan is paid for. Raises PrerequisiteError where no model has a known price."""
    chosen = tuple(models)
    simulated = bool(chosen) and chosen[0].simulated
    sizes = [task_size(task.planned()) for task in tasks]
    try:
        made = forecast(
            sizes,
            sum(size.brief_bytes for size in sizes),
            ProjectModels(models=chosen, routing=SIMULATED_ROUTING if simulated else ROUTING),
            _CONCURRENCY,
            planned_micro=0,
        )
    except NoModelError as error:
        raise PrerequisiteError(f"{error}; 'orch-cli models' says why") from None
    by_task = {task.id: _expected(task, made, predictor) for task in tasks}
    total = sum(by_task.values())
    by_phase: dict[BudgetPhase, float] = {}
    for item in made.items:
        phase = phase_of(item.stage)
        by_phase[phase] = by_phase.get(phase, 0.0) + usd(item.cost_micro.expected)
    return ForecastReport(
        estimated_total_usd=total,
        low_usd=usd(made.cost_micro.low),
        high_usd=usd(made.cost_micro.high),
        estimated_seconds=made.wall_s.expected,
        risk_level=_risk(total, budget.max_usd),
        by_task=by_task,
        by_phase=by_phase,
    )


def levels_of(tasks: Sequence[Task]) -> tuple[tuple[str, ...], ...]:
    """Ids of tasks that can be done side by side; each level needs those before it."""
    level: dict[str, int] = {}
    waiting = list(tasks)
    while waiting:
        ready = [task for task in waiting if all(other in level for other in task.dependencies)]
        if not ready:
            break
        for task in ready:
            level[task.id] = 1 + max((level[other] for other in task.dependencies), default=-1)
        waiting = [task for task in waiting if task.id not in level]
    depth = max(level.values(), default=-1) + 1
    return tuple(tuple(name for name, at in level.items() if at == number) for number in range(depth))


def _models(settings: Settings) -> tuple[ModelSpec, ...]:
    return models_here(load_catalog(settings), settings)[0]


def _expected(task: Task, made: Forecast, predictor: CostPredictor) -> float:
    """What the task cost before where that is known, else what its size says."""
    writer = next((item.models[0] for item in made.items if item.owner == task.id and item.stage is Stage.GENERATE), "")
    known = predictor.predict(writer, task.type)
    return usd(made.of_owner(task.id).expected) if known is None else known


def _risk(total_usd: float, max_usd: float) -> RiskLevel:
    if total_usd >= max_usd * _HIGH:
        return RiskLevel.HIGH
    return RiskLevel.MEDIUM if total_usd >= max_usd * _MEDIUM else RiskLevel.LOW
