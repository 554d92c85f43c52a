"""What a project run remembers: carried by continue-as-new and kept in the store."""

from pydantic import BaseModel, ConfigDict

from orchestrator.contracts.project import BudgetView, Event, ProjectSpec
from orchestrator.contracts.tools import CallRecord, PrepareResult, ScaffoldResult
from orchestrator.domain.apps import Architecture, Dependencies
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import CallProgress
from orchestrator.domain.clock import Clock
from orchestrator.domain.enhancing import Enhancement
from orchestrator.domain.integration import Integration
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.phases import BudgetPhase, phase_of, phase_spends
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.steps import TaskState
from orchestrator.domain.tasks import Stage, TaskSpec


class Spending(Frozen):
    """Money and requests of one owner (a task, or "project"), in micro-USD."""

    by_stage: dict[str, int] = {}
    uncertain: dict[str, int] = {}  # by stage
    calls: int = 0


class RunLog(BaseModel):
    """What every run remembers. The workflow replaces its frozen parts by what the core returns."""

    model_config = ConfigDict(extra="forbid")

    clock: Clock
    stopped: ProjectStatus | None = None
    stop_reason: str = ""
    notes: tuple[str, ...] = ()
    next_event: int = 1
    events: list[Event] = []  # since the last flush
    event_segments: tuple[BlobRef, ...] = ()


class RunMemory(RunLog):
    """What every run that asks models remembers."""

    spending: dict[str, Spending] = {}
    ledger: Ledger
    breakers: Breakers = Breakers()
    records: list[CallRecord] = []  # since the last flush
    record_segments: tuple[BlobRef, ...] = ()


class ProjectState(RunMemory):
    """The memory of a project run."""

    phase: ProjectStatus = ProjectStatus.PLANNING
    generation: int = 0  # rises with each resume and retry, so that their calls have keys of their own
    time_limit_s: float
    concurrency: int
    approved: bool = False
    overrides: tuple[ModelOverride, ...] = ()  # the spec's, then the operator's
    guidance: dict[str, tuple[BlobRef, ...]] = {}  # by task, "" for all
    exhausted: bool = False
    suspended: dict[str, TaskState] = {}  # where tasks stood when the run stopped or was refused money for them
    warned: tuple[str, ...] = ()  # budget warnings that were given
    failure: str = ""
    prepared: PrepareResult | None = None
    enhancement: Enhancement | None = None  # what became of the question for suggestions
    architecture: Architecture | None = None  # what the plan follows, once it is decided
    plan: tuple[TaskSpec, ...] = ()
    packages: Dependencies = Dependencies()  # that the plan asks for
    scaffold: ScaffoldResult | None = None  # of this plan
    tasks: dict[str, TaskState] = {}
    calls: dict[str, CallProgress] = {}  # of calls that are between two requests, by slot
    integration: Integration = Integration()


def spent_by_phase(state: ProjectState) -> dict[BudgetPhase, int]:
    """What each phase has cost, uncertain charges included, in micro-USD."""
    spent: dict[BudgetPhase, int] = {}
    for spending in state.spending.values():
        for stage, amount in (*spending.by_stage.items(), *spending.uncertain.items()):
            phase = phase_of(Stage(stage))
            spent[phase] = spent.get(phase, 0) + amount
    return spent


def budget_view(state: ProjectState, waiting: int, elapsed_s: float) -> BudgetView:
    """The money and the time of a run. `waiting`: calls that wait for reservations to settle."""
    ledger = state.ledger
    return BudgetView(
        max_micro=ledger.max_micro,
        spent_micro=ledger.spent_micro,
        uncertain_micro=ledger.uncertain_micro,
        reserved_micro=ledger.reserved_micro,
        waiting=waiting,
        phases=phase_spends(spent_by_phase(state), ledger.max_micro),
        time_limit_s=state.time_limit_s,
        elapsed_s=round(elapsed_s, 3),
    )


class ProjectInput(Frozen):
    """Argument of the workflow: a fresh run has no state. `resumed`: the state is that of a run that ended.

    `by`: who started or resumed it, where that is known.
    """

    spec: ProjectSpec
    state: ProjectState | None = None
    resumed: bool = False
    by: str = ""
