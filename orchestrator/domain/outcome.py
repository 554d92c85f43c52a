"""How a run ends: the first status that applies."""

from collections.abc import Sequence
from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.integration import Integration
from orchestrator.domain.steps import USABLE, TaskState, TaskStatus


class ProjectStatus(StrEnum):
    """Status of a run: the first five while it goes on, the others final."""

    PLANNING = "PLANNING"
    WAITING_APPROVAL = "WAITING_APPROVAL"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    INTEGRATING = "INTEGRATING"
    SUCCESS = "SUCCESS"
    COMPLETED_DEGRADED = "COMPLETED_DEGRADED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    TIMEOUT = "TIMEOUT"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    CANCELLED = "CANCELLED"


class Ending(Frozen):
    """The final status and one line of why."""

    status: ProjectStatus
    reason: str = ""


def ending(
    states: Sequence[TaskState],
    integration: Integration,
    stopped: ProjectStatus | None,
    stop_reason: str,
    exhausted: bool,
    failure: str,
) -> Ending:
    """`stopped`: CANCELLED or TIMEOUT; `exhausted`: work that was needed was refused; `failure`: no plan."""
    if stopped is ProjectStatus.CANCELLED:
        return Ending(status=stopped, reason=stop_reason)
    if exhausted:
        return Ending(status=ProjectStatus.BUDGET_EXHAUSTED, reason="the budget does not allow what is left to do")
    if stopped is ProjectStatus.TIMEOUT:
        return Ending(status=stopped, reason=stop_reason)
    if not any(state.shown for state in states):
        reasons = [state.reason for state in states if state.status is TaskStatus.FAILED and state.reason]
        return Ending(
            status=ProjectStatus.SYSTEM_FAILURE, reason=failure or next(iter(reasons), "no task has a result")
        )
    without = [state for state in states if state.shown is None]
    if without:
        reason = next((state.reason for state in without if state.status is TaskStatus.FAILED), without[0].reason)
        return Ending(status=ProjectStatus.PARTIAL_SUCCESS, reason=f"{len(without)} task(s) without a result: {reason}")
    return _completed(states, integration)


def _completed(states: Sequence[TaskState], integration: Integration) -> Ending:
    check = integration.best
    problems = []
    if check is None:
        problems.append("the whole project was not checked")
    elif not check.passed:
        problems.append(f"the whole project fails its checks: {check.summary}")
    elif check.unchecked:
        problems.append(check.unchecked)
    weak = [state for state in states if state.status is not TaskStatus.COMPLETED]
    if weak:
        problems.append(f"{len(weak)} task(s) below target: {weak[0].reason}")
    if problems:
        return Ending(status=ProjectStatus.COMPLETED_DEGRADED, reason="; ".join(problems)[:300])
    return Ending(status=ProjectStatus.SUCCESS)


def after_loss(state: TaskState, lost: Sequence[str]) -> TaskState:
    """The task after the store has lost these files of the version that it shows.

    With what is left it counts as DEGRADED at most; without any file it has no result, and starts afresh in a resume.
    """
    version = state.shown
    assert version is not None
    draft = version.draft
    kept = tuple(path for path in draft.paths if path not in lost)
    left = version.model_copy(update={"draft": draft.model_copy(update={"paths": kept})}) if kept else None
    status = state.status
    if status in USABLE:
        status = TaskStatus.DEGRADED if kept else TaskStatus.FAILED
    reason = f"lost in the artifact store: {', '.join(lost)}"[:200]
    return state.model_copy(update={"status": status, "best" if state.best else "replaced": left, "reason": reason})


def quality(states: Sequence[TaskState]) -> float | None:
    """Mean score of the tasks that have one; a task without a result counts as 0. None before any score."""
    scores = [
        state.best.score if state.best and state.best.score is not None else 0.0
        for state in states
        if state.status not in (TaskStatus.PENDING, TaskStatus.RUNNING)
    ]
    return round(sum(scores) / len(scores), 4) if scores else None
