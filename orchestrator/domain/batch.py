"""A batch of projects under one budget: what may start, what came of it, how it ends. Amounts are micro-USD."""

from collections import Counter
from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import Ending, ProjectStatus
from orchestrator.domain.refs import BlobRef

# From the best to the worst: a batch ends like the worst of its projects.
SEVERITY = (
    ProjectStatus.SUCCESS,
    ProjectStatus.COMPLETED_DEGRADED,
    ProjectStatus.PARTIAL_SUCCESS,
    ProjectStatus.BUDGET_EXHAUSTED,
    ProjectStatus.TIMEOUT,
    ProjectStatus.SYSTEM_FAILURE,
    ProjectStatus.CANCELLED,
)


class Wish(StrEnum):
    """What a batch wants of the projects that run."""

    GO_ON = "go_on"
    PAUSE = "pause"
    CANCEL = "cancel"


class BatchProject(Frozen):
    """One project of a batch; `key` is unique there, `max_micro` its cap, `file` where it was read from."""

    key: str
    title: str
    file: str = ""
    max_micro: int


class ProjectEnd(Frozen):
    """What came of one project. `manifest`: what it published; `begun`: False where it was not even started."""

    key: str
    status: ProjectStatus
    reason: str = ""
    begun: bool = True
    spent_micro: int = 0
    uncertain_micro: int = 0
    quality_score: float | None = None
    calls: int = 0
    tasks_done: int = 0
    tasks_total: int = 0
    elapsed_s: float = 0.0
    simulated: bool = False
    manifest: BlobRef | None = None
    output_dir: str = ""  # where a worker wrote its files


class BatchState(Frozen):
    """Where a batch stands. A project waits until it is in `running` (with the time of its start), then in `ends`.

    What ended projects have spent and may have spent, and the caps of those that run, never exceed `max_micro`.
    """

    max_micro: int
    concurrency: int
    projects: tuple[BatchProject, ...]
    running: dict[str, float] = {}
    ends: dict[str, ProjectEnd] = {}

    @property
    def spent_micro(self) -> int:
        return sum(end.spent_micro for end in self.ends.values())

    @property
    def uncertain_micro(self) -> int:
        return sum(end.uncertain_micro for end in self.ends.values())

    @property
    def reserved_micro(self) -> int:
        """The caps of the projects that run."""
        return sum(project.max_micro for project in self.projects if project.key in self.running)

    @property
    def over(self) -> bool:
        """Every project has ended."""
        return len(self.ends) == len(self.projects)

    @property
    def waiting(self) -> tuple[BatchProject, ...]:
        """Those that have not begun, in the order of the batch."""
        return tuple(one for one in self.projects if one.key not in self.running and one.key not in self.ends)


def next_up(state: BatchState) -> tuple[BatchProject, ...]:
    """The projects to start now, first come, first served: one that does not fit yet holds up those behind it."""
    free = state.concurrency - len(state.running)
    left_micro = state.max_micro - state.spent_micro - state.uncertain_micro - state.reserved_micro
    chosen: list[BatchProject] = []
    for project in state.waiting:
        if len(chosen) >= free or project.max_micro > left_micro:
            break
        left_micro -= project.max_micro
        chosen.append(project)
    return tuple(chosen)


def started(state: BatchState, project: BatchProject, now_s: float) -> BatchState:
    """Set the project's cap aside. Raises ValueError where it is not one of `next_up`."""
    if project not in next_up(state):
        raise ValueError(f"{project.key} may not start now")
    return state.model_copy(update={"running": {**state.running, project.key: now_s}})


def ended(state: BatchState, end: ProjectEnd) -> BatchState:
    """Book what a project has spent and give the rest of its cap back; a project ends once."""
    if end.key in state.ends or all(project.key != end.key for project in state.projects):
        return state
    running = {key: since_s for key, since_s in state.running.items() if key != end.key}
    return state.model_copy(update={"running": running, "ends": {**state.ends, end.key: end}})


def unaffordable(state: BatchState) -> tuple[ProjectEnd, ...]:
    """Ends of projects that will never fit, even if those that run spend nothing."""
    left_micro = state.max_micro - state.spent_micro - state.uncertain_micro
    reason = "what is left of the batch's budget is less than the project's own"
    return tuple(
        ProjectEnd(key=project.key, status=ProjectStatus.BUDGET_EXHAUSTED, reason=reason, begun=False)
        for project in state.waiting
        if project.max_micro > left_micro
    )


def given_up(state: BatchState, status: ProjectStatus, reason: str) -> tuple[ProjectEnd, ...]:
    """Ends of the projects that never began, once the batch was stopped."""
    return tuple(ProjectEnd(key=project.key, status=status, reason=reason, begun=False) for project in state.waiting)


def cannot_have(state: BatchState, max_micro: int) -> str:
    """Why the batch cannot have this budget; empty where it can."""
    least = max(1, state.spent_micro + state.uncertain_micro + state.reserved_micro)
    if max_micro >= least:
        return ""
    return f"${usd(max_micro):.6f} is below the ${usd(least):.6f} that are spent or set aside already"


def with_budget(state: BatchState, max_micro: int) -> BatchState:
    """Another budget; projects that were refused for want of money wait again where they may fit now."""
    left_micro = max_micro - state.spent_micro - state.uncertain_micro
    caps = {project.key: project.max_micro for project in state.projects}
    ends = {
        key: end
        for key, end in state.ends.items()
        if end.begun or end.status is not ProjectStatus.BUDGET_EXHAUSTED or caps[key] > left_micro
    }
    return state.model_copy(update={"max_micro": max_micro, "ends": ends})


def grant(limit_micro: int | None, used_micro: int, wanted_micro: int) -> int:
    """What a batch may spend of a month that has a limit: what it wants, or what is left."""
    return wanted_micro if limit_micro is None else min(wanted_micro, max(0, limit_micro - used_micro))


def starts_nothing(projects: tuple[BatchProject, ...], granted_micro: int) -> bool:
    """Whether so much money is less than every project's cap."""
    return granted_micro < min((project.max_micro for project in projects), default=0)


def broken_off(key: str, status: ProjectStatus, reason: str, last: ProjectEnd | None, charged_micro: int) -> ProjectEnd:
    """The end of a project that could not tell it, from how it looked `last`.

    All that its requests cost or can cost (`charged_micro`) counts: what it had not booked as spent is uncertain.
    """
    if last is None:
        return ProjectEnd(key=key, status=status, reason=reason, uncertain_micro=charged_micro)
    uncertain_micro = max(charged_micro - last.spent_micro, last.uncertain_micro)
    return last.model_copy(update={"status": status, "reason": reason, "uncertain_micro": uncertain_micro})


def batch_ending(state: BatchState, stopped: ProjectStatus | None, reason: str) -> Ending:
    """`stopped`: CANCELLED. Else the worst status of a project, and how many have which."""
    if stopped is not None:
        return Ending(status=stopped, reason=reason)
    counts = Counter(end.status for end in state.ends.values())
    if not counts:
        return Ending(status=ProjectStatus.SYSTEM_FAILURE, reason=reason or "no project was started")
    worst = max(counts, key=SEVERITY.index)
    if worst is ProjectStatus.SUCCESS:
        return Ending(status=worst)
    told = ", ".join(f"{counts[status]} {status.value}" for status in SEVERITY if counts[status])
    return Ending(status=worst, reason=f"of {len(state.projects)} projects {told}")


def mean_quality(state: BatchState) -> float | None:
    """Mean score of the projects that have one; None where none has."""
    scores = [end.quality_score for end in state.ends.values() if end.quality_score is not None]
    return round(sum(scores) / len(scores), 4) if scores else None
