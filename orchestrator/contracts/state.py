"""What a project run remembers: carried by continue-as-new and kept in the store."""

from pydantic import BaseModel, ConfigDict

from orchestrator.contracts.project import Event, ProjectSpec
from orchestrator.contracts.tools import CallRecord, PrepareResult
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import CallProgress
from orchestrator.domain.integration import Integration
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.steps import TaskState
from orchestrator.domain.tasks import TaskSpec


class Spending(Frozen):
    """Money and requests of one owner (a task, or "project"), in micro-USD."""

    by_stage: dict[str, int] = {}
    uncertain: dict[str, int] = {}  # by stage
    calls: int = 0


class ProjectState(BaseModel):
    """The run's memory. The workflow replaces its frozen parts by what the core returns."""

    model_config = ConfigDict(extra="forbid")

    phase: ProjectStatus = ProjectStatus.PLANNING
    started_s: float
    paused_s: float = 0.0  # total of finished pauses
    paused_at_s: float | None = None
    pause_reason: str = ""
    stopped: ProjectStatus | None = None
    stop_reason: str = ""
    exhausted: bool = False
    failure: str = ""
    prepared: PrepareResult | None = None
    plan: tuple[TaskSpec, ...] = ()
    tasks: dict[str, TaskState] = {}
    spending: dict[str, Spending] = {}
    ledger: Ledger
    breakers: Breakers = Breakers()
    calls: dict[str, CallProgress] = {}  # of calls that are between two requests, by slot
    integration: Integration = Integration()
    notes: tuple[str, ...] = ()
    next_event: int = 1
    events: list[Event] = []  # since the last flush
    event_segments: tuple[BlobRef, ...] = ()
    records: list[CallRecord] = []  # since the last flush
    record_segments: tuple[BlobRef, ...] = ()


class ProjectInput(Frozen):
    """Argument of the workflow: a fresh run has no state."""

    spec: ProjectSpec
    state: ProjectState | None = None
