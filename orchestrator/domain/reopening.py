"""Tasks that get another chance: after a retry, a larger budget, or the resume of a run that ended."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.steps import FINAL, TaskState, TaskStatus
from orchestrator.domain.tasks import TaskSpec


def unfinished(states: Mapping[str, TaskState]) -> bool:
    """Whether any task still has work ahead of it."""
    return any(state.status not in FINAL for state in states.values())


def resumed(
    plan: Sequence[TaskSpec],
    states: Mapping[str, TaskState],
    suspended: Mapping[str, TaskState],
    generation: int,
    *,
    retry_failed: bool,
) -> dict[str, TaskState]:
    """The tasks of a run that starts again after its end.

    Done ones stay as they are. Those that were broken off go on where they stood. Failed ones start afresh, in
    `generation`, so that no stored answer of theirs counts; with `retry_failed` so do those below their target. A task
    that the user skipped stays skipped.
    """
    return {task.id: _resumed(states[task.id], suspended.get(task.id), generation, retry_failed) for task in plan}


def _resumed(state: TaskState, suspended: TaskState | None, generation: int, retry_failed: bool) -> TaskState:
    if state.status is TaskStatus.COMPLETED:
        return state
    if suspended is not None:
        return suspended
    again = {TaskStatus.FAILED, TaskStatus.DEGRADED} if retry_failed else {TaskStatus.FAILED}
    if state.status in again or (state.status is TaskStatus.SKIPPED and not state.by_user):
        return _afresh(state, generation)
    if state.status is TaskStatus.PENDING:
        return state.model_copy(update={"reason": ""})
    return state


def _afresh(state: TaskState, generation: int) -> TaskState:
    return TaskState(generation=generation, replaced=state.shown)


def retried(
    plan: Sequence[TaskSpec], states: Mapping[str, TaskState], task_id: str, generation: int
) -> dict[str, TaskState]:
    """The tasks that a retry of `task_id` changes: it starts afresh, and what was skipped because of it comes back.

    Tasks under way that build on it keep seeing what it was until it has something new.
    """
    names = [task_id, *_skipped_after(plan, states, task_id)]
    return {name: _afresh(states[name], generation) for name in names}


def revived(plan: Sequence[TaskSpec], states: Mapping[str, TaskState], task_id: str) -> dict[str, TaskState]:
    """The tasks that were skipped because of `task_id`, which goes on now: they wait for it again."""
    update = {"status": TaskStatus.PENDING, "reason": ""}
    return {name: states[name].model_copy(update=update) for name in _skipped_after(plan, states, task_id)}


def _skipped_after(plan: Sequence[TaskSpec], states: Mapping[str, TaskState], task_id: str) -> list[str]:
    """Tasks that were skipped, though not by the user, and build on `task_id`, directly or through each other."""
    found = {task_id: None}
    progress = True
    while progress:
        progress = False
        for task in plan:
            state = states[task.id]
            skipped = state.status is TaskStatus.SKIPPED and not state.by_user
            if skipped and task.id not in found and any(d in found for d in task.dependencies):
                found[task.id] = None
                progress = True
    return [name for name in found if name != task_id]
