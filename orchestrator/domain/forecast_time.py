"""How long a project takes: its calls along the critical path, and all of them through so many at a time."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.graph import critical_path
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.tasks import Stage
from orchestrator.domain.workload import Range, TaskSize

Bounds = tuple[float, float, float]  # seconds: low, expected, high
Stages = Mapping[Stage, tuple[Range, Range]]  # calls in hundredths, output tokens of a call


class Pace(Frozen):
    """How fast models answer and checks run, each as (low, expected, high)."""

    latency_s: Bounds
    tokens_per_s: Bounds
    check_s: Bounds

    @staticmethod
    def of(model: ModelSpec) -> "Pace":
        """What is assumed of every model of the run that `model` belongs to."""
        return SIMULATED_PACE if model.simulated else PACE

    def call_s(self, output_tokens: Range) -> Bounds:
        """One call."""
        tokens = (output_tokens.low, output_tokens.expected, output_tokens.high)
        low, expected, high = (
            latency + count / speed
            for latency, count, speed in zip(self.latency_s, tokens, self.tokens_per_s, strict=True)
        )
        return low, expected, high

    def task_s(self, stages: Stages) -> Bounds:
        """One task: its calls one after the other, judges side by side, a check per draft; without repairs."""
        found = [0.0, 0.0, 0.0]
        for stage, (calls, output) in stages.items():
            if stage is Stage.REPAIR:
                continue
            checks = self.check_s if stage in (Stage.GENERATE, Stage.REVISE) else (0.0, 0.0, 0.0)
            for index, (call_s, check_s) in enumerate(zip(self.call_s(output), checks, strict=True)):
                found[index] += _values(calls)[index] / 100 * (call_s + check_s)
        return found[0], found[1], found[2]


PACE = Pace(latency_s=(0.5, 2.0, 10.0), tokens_per_s=(150.0, 60.0, 20.0), check_s=(1.0, 3.0, 60.0))
SIMULATED_PACE = Pace(latency_s=(0.0, 0.3, 1.0), tokens_per_s=(1e6, 1e6, 1e6), check_s=(0.2, 1.0, 10.0))


def wall_time(
    tasks: Sequence[TaskSize],
    stages: Mapping[str, Stages],
    planning: Sequence[Range],
    concurrency: int,
    pace: Pace,
) -> Bounds:
    """The whole run. `stages` by task; `planning`: output tokens of the calls up to the plan, one after the other."""
    calls_s = [pace.call_s(output) for output in planning]
    times = {task.id: pace.task_s(stages[task.id]) for task in tasks}
    found = []
    for index in range(3):

        def in_a_row_s(task: TaskSize, index: int = index) -> float:
            return times[task.id][index] * _values(task.depth)[index]

        by_id = {task.id: in_a_row_s(task) for task in tasks}
        path_s = sum(by_id[task_id] for task_id in critical_path(tasks, in_a_row_s))
        work_s = sum(times[task.id][index] * _values(task.count)[index] for task in tasks) / concurrency
        # Whatever the order, no schedule that leaves no slot idle takes longer than both together.
        tasks_s = path_s + work_s if index == 2 else max(path_s, work_s)
        plan_s = sum(call_s[index] for call_s in calls_s)
        found.append(round(plan_s + tasks_s + _integration_s(tasks, stages, concurrency, pace, index), 1))
    return found[0], found[1], found[2]


def _integration_s(
    tasks: Sequence[TaskSize], stages: Mapping[str, Stages], concurrency: int, pace: Pace, index: int
) -> float:
    """Checks of the whole project, and the repairs between them."""
    rounds, work_s, longest_s = 0.0, 0.0, 0.0
    for task in tasks:
        calls, output = stages[task.id][Stage.REPAIR]
        each = _values(calls)[index] / 100
        repair_s = each * pace.call_s(output)[index]
        rounds = max(rounds, each)
        longest_s = max(longest_s, repair_s)
        work_s += repair_s * _values(task.count)[index]
    return pace.check_s[index] * (1 + rounds) + longest_s + work_s / concurrency


def _values(value: Range) -> tuple[int, int, int]:
    return value.low, value.expected, value.high
