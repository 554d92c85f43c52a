"""Which task starts next: no levels, the longest remaining path first."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.steps import FINAL, USABLE, TaskState, TaskStatus, skip
from orchestrator.domain.tasks import TaskSpec

_LOST = FINAL - USABLE


def remaining_path(plan: Sequence[TaskSpec]) -> dict[str, int]:
    """Number of tasks on the longest path from each task to an end, itself included. `plan` is a DAG."""
    dependents: dict[str, list[str]] = {task.id: [] for task in plan}
    open_dependents = dict.fromkeys(dependents, 0)
    dependencies = {task.id: task.dependencies for task in plan}
    for task in plan:
        for dependency in task.dependencies:
            dependents[dependency].append(task.id)
            open_dependents[dependency] += 1
    ready = [task_id for task_id, count in open_dependents.items() if count == 0]
    length: dict[str, int] = {}
    while ready:
        task_id = ready.pop()
        length[task_id] = 1 + max((length[d] for d in dependents[task_id]), default=0)
        for dependency in dependencies[task_id]:
            open_dependents[dependency] -= 1
            if open_dependents[dependency] == 0:
                ready.append(dependency)
    return length


def ready(plan: Sequence[TaskSpec], states: Mapping[str, TaskState], length: Mapping[str, int]) -> list[TaskSpec]:
    """Pending tasks whose dependencies are all usable, the longest remaining path first, then plan order."""
    found = [
        task
        for task in plan
        if states[task.id].status is TaskStatus.PENDING and all(states[d].status in USABLE for d in task.dependencies)
    ]
    return sorted(found, key=lambda task: -length[task.id])


def skip_hopeless(plan: Sequence[TaskSpec], states: Mapping[str, TaskState]) -> dict[str, TaskState]:
    """Pending tasks that a dependency has made impossible, as skipped states; transitively."""
    lost = {task_id for task_id, state in states.items() if state.status in _LOST}
    if not lost:
        return {}
    changed: dict[str, TaskState] = {}
    progress = True
    while progress:
        progress = False
        for task in plan:
            if states[task.id].status is not TaskStatus.PENDING or task.id in changed:
                continue
            cause = next((d for d in task.dependencies if d in lost or d in changed), None)
            if cause is not None:
                changed[task.id] = skip(states[task.id], f"dependency {cause} has no usable result")
                progress = True
    return changed


def upstream(plan: Sequence[TaskSpec], task_ids: Sequence[str], steps: int) -> list[str]:
    """`task_ids` and what they depend on up to `steps` edges away, in plan order."""
    dependencies = {task.id: task.dependencies for task in plan}
    found = set(task_ids)
    edge = set(task_ids)
    for _ in range(steps):
        edge = {d for task_id in edge for d in dependencies[task_id]} - found
        if not edge:
            break
        found |= edge
    return [task.id for task in plan if task.id in found]
