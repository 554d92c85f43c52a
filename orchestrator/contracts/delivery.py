"""What happens with a run that has ended: where its files go, and who is told."""

from typing import Literal

from orchestrator.domain.base import Frozen
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef


class Delivery(Frozen):
    """Deliveries of one run, each left out where it is empty.

    `output_dir` may hold directives of strftime; they are filled with `at_s` in `timezone`. What a worker may execute
    and where it may write is for its own environment to say, not for this value (docs/schedules.md).
    """

    webhook: str = ""  # receives a signed POST
    command: tuple[str, ...] = ()  # program and arguments; no shell
    output_dir: str = ""
    folder: str = ""  # below `output_dir`: a project's own, where a batch has several
    timezone: str = "UTC"
    at_s: float | None = None  # seconds since the epoch; None: when the run was to start
    give_up_s: float = 600.0  # all attempts at the webhook together


class ScheduleTerms(Frozen):
    """What a batch knows of the schedule that started it."""

    name: str
    timezone: str
    file: str = ""  # that says what runs, as it was named when it was read
    month_micro: int | None = None  # most that all runs of a calendar month may spend


class FinishedProject(Frozen):
    """One project of a batch that has ended."""

    project_id: str
    status: str
    spent_micro: int
    quality_score: float | None = None
    output_dir: str = ""


class FinishedRun(Frozen):
    """What webhook and command are told of a run. `uncertain_micro` is not part of `spent_micro`."""

    kind: Literal["project", "batch"]
    id: str
    workflow_id: str
    status: ProjectStatus
    reason: str = ""
    spent_micro: int
    uncertain_micro: int = 0
    max_micro: int
    quality_score: float | None = None
    simulated: bool = False
    output_dir: str = ""  # where the worker wrote the files
    projects: tuple[FinishedProject, ...] = ()


class ExportInput(Frozen):
    """Published files of a project, to be written where the worker runs."""

    project_id: str
    manifest: BlobRef
    delivery: Delivery


class ExportOutcome(Frozen):
    """The folder that now holds them."""

    folder: str


class HookInput(Frozen):
    """A run to tell webhook or command of. `ended_s`: when it ended, in seconds since the epoch."""

    delivery: Delivery
    run: FinishedRun
    ended_s: float


class MonthInput(Frozen):
    """A batch that wants money of its schedule's month, or gives back what it did not use."""

    terms: ScheduleTerms
    batch_id: str
    at_s: float  # when the batch started, in seconds since the epoch: decides the month
    wanted_micro: int  # to reserve; when settling, what was spent


class MonthGrant(Frozen):
    """What the batch may spend, and what the month has left after it."""

    granted_micro: int
    month: str  # such as 2026-11
    left_micro: int
