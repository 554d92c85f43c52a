"""The project run: its frozen input, its result, and what queries return."""

from enum import StrEnum

from orchestrator.contracts.delivery import Delivery
from orchestrator.domain.apps import Architecture, ArchitectureWishes, DependencyPolicy, EnhanceMode, UserCommand
from orchestrator.domain.base import Frozen
from orchestrator.domain.criteria import CriterionResult
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.outcome import ProjectStatus as ProjectStatus
from orchestrator.domain.phases import PhaseSpend
from orchestrator.domain.policy import Policy
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import TaskType


class Timeouts(Frozen):
    """Limits of activities in seconds; short ones for the embedded server, longer ones for a cluster."""

    heartbeat_s: float = 30.0
    call_s: float = 900.0  # one attempt of a model call
    tool_s: float = 900.0  # one attempt of a tool activity
    give_up_s: float = 86_400.0  # all attempts of an activity together


class OnExhausted(StrEnum):
    """What a run does when needed work does not fit the budget any more."""

    END = "end"  # as BUDGET_EXHAUSTED, with what is done
    PAUSE = "pause"  # wait for a larger budget


class Membership(Frozen):
    """A project's place in a batch: ids of both."""

    batch_id: str
    key: str


class ProjectSpec(Frozen):
    """One project, resolved: nothing that it names changes during the run, except by an update that says so."""

    project_id: str
    project: str
    criteria: str
    max_micro: int
    time_limit_s: float
    concurrency: int = 8
    models: tuple[ModelSpec, ...]
    routing: dict[TaskType, tuple[str, ...]]  # model ids in order of preference
    simulated_routing: dict[TaskType, tuple[str, ...]]  # the same, where no vendor is usable
    timeouts: Timeouts = Timeouts()
    continue_after_events: int = 4000
    search_attributes: bool = True  # the namespace has ours registered
    policies: tuple[Policy, ...] = ()  # all of them hold
    overrides: tuple[ModelOverride, ...] = ()
    approve_plan: bool = False  # the plan waits for a person
    plan_only: bool = False  # end after the plan, which a resume then carries out
    on_exhausted: OnExhausted = OnExhausted.END
    enhance: EnhanceMode = EnhanceMode.OFF
    advise: bool = False  # ask for an architecture, and start from the scaffold of its app type
    judge_criteria: bool = False  # criteria that no tool can decide are judged by a model
    advise_only: bool = False  # end after the advice, which a resume then follows
    wishes: ArchitectureWishes = ArchitectureWishes()
    dependencies: DependencyPolicy = DependencyPolicy()
    validators: tuple[str, ...] = ()  # of the whole project, besides those that its files call for
    commands: tuple[UserCommand, ...] = ()
    quality_targets: dict[TaskType, float] = {}  # acceptance thresholds in place of the table's
    files: DraftRef | None = None  # the user's own, part of the software from the start
    batch: Membership | None = None  # the batch is told how the run ends
    delivery: Delivery | None = None  # once the run has ended
    vendor_queues: bool = False  # in a cluster each vendor has a task queue
    team: str = ""  # shares the workers fairly with other teams


class TaskView(Frozen):
    """One task as the user sees it."""

    id: str
    title: str
    type: TaskType
    status: str  # PENDING, RUNNING or the final one
    stage: str = ""  # what is going on right now, such as `critique #2 anthropic:claude-haiku-4-5`
    score: float | None = None
    model: str = ""
    reviewer: str = ""
    iterations: int = 0
    spent_micro: int = 0
    uncertain_micro: int = 0
    files: tuple[str, ...] = ()  # of its result, before there is one the planned ones
    reason: str = ""
    spent_by_stage: dict[str, int] = {}
    attempts: tuple[str, ...] = ()


class ProjectView(Frozen):
    """State of a run; with tasks it is also the run's result."""

    project_id: str
    workflow_id: str
    status: ProjectStatus
    spent_micro: int
    uncertain_micro: int
    reserved_micro: int
    max_micro: int
    quality_score: float | None
    calls: int
    elapsed_s: float
    simulated: bool
    sandbox: str = ""
    reason: str = ""
    awaits: str = ""  # what a person is to decide: suggestions or plan
    notes: tuple[str, ...] = ()  # fallbacks, unsafe checks, booked uncertain calls
    tasks_done: int = 0
    tasks_total: int = 0
    tasks: tuple[TaskView, ...] = ()
    spent_by_stage: dict[str, int] = {}  # of calls that belong to no task: enhance, advise, plan
    criteria: tuple[CriterionResult, ...] = ()  # one by one, as integration found them
    architecture: Architecture | None = None  # what the plan follows, once it is decided
    manifest: BlobRef | None = None
    output_dir: str = ""  # where a worker wrote the files
    events: BlobRef | None = None  # the whole event log as JSONL, once the run has ended
    records: BlobRef | None = None  # all calls as JSONL of CallRecord, once the run has ended


class Event(Frozen):
    """Something that happened, in order. `time_s` is workflow time in seconds since the epoch."""

    seq: int
    time_s: float
    kind: str  # such as `task_started`, `call_settled`, `breaker_opened`, `paused`
    task: str = ""
    text: str = ""
    by: str = ""  # who asked for it, where an operator did


class EventPage(Frozen):
    """Events after the number that was asked for, as many as fit.

    Those before the first one of `events` are in the store, in `segments`: JSON lists of Event.
    """

    events: tuple[Event, ...]
    segments: tuple[BlobRef, ...] = ()


class BudgetView(Frozen):
    """The ledger's totals in micro-USD."""

    max_micro: int
    spent_micro: int
    uncertain_micro: int
    reserved_micro: int
    waiting: int  # calls that wait for reservations to settle
    phases: tuple[PhaseSpend, ...] = ()
    time_limit_s: float
    elapsed_s: float


class BreakerView(Frozen):
    """One circuit; `open_until_s` is workflow time in seconds since the epoch."""

    scope: str  # `vendor` or `vendor:model`
    state: str  # closed, open, half_open
    strikes: int
    reason: str = ""
    open_until_s: float | None = None
