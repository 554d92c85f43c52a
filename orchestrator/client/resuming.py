"""Starting again where an ended run stopped: done tasks stay done, what they cost stays spent."""

from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.contracts.project import OnExhausted, ProjectSpec, ProjectStatus
from orchestrator.contracts.state import ProjectInput, ProjectState
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.clock import Clock
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.integration import Integration
from orchestrator.domain.ledger import Ledger, UncertainCharge
from orchestrator.domain.money import usd
from orchestrator.domain.reopening import resumed, unfinished
from orchestrator.domain.steps import FINAL, TaskState

RESUMABLE = (
    ProjectStatus.BUDGET_EXHAUSTED,
    ProjectStatus.TIMEOUT,
    ProjectStatus.CANCELLED,
    ProjectStatus.PARTIAL_SUCCESS,
    ProjectStatus.SYSTEM_FAILURE,
)
ENDED = (*RESUMABLE, ProjectStatus.SUCCESS, ProjectStatus.COMPLETED_DEGRADED)


class ResumeChanges(Frozen):
    """What the resumed run does differently; None keeps what the project had.

    `retry_failed`: tasks below their target start afresh as well, not only failed ones.
    """

    max_micro: int | None = None
    time_limit_s: float | None = None
    concurrency: int | None = None
    retry_failed: bool = False
    approve_plan: bool | None = None
    on_exhausted: OnExhausted | None = None


def check_resumable(project_id: str, status: ProjectStatus, changes: ResumeChanges) -> None:
    """Raises UserInputError where a run of this status has nothing to go on with, or has not ended."""
    if status not in ENDED:
        raise UserInputError(f"{project_id} runs already; follow it with 'orch-cli watch {project_id}'")
    if status is ProjectStatus.SUCCESS:
        raise UserInputError(f"{project_id} is complete: there is nothing to resume")
    if status is ProjectStatus.COMPLETED_DEGRADED and not changes.retry_failed:
        raise UserInputError(
            f"{project_id} has a result for every task; --retry-failed redoes those below their target"
        )


class Restarted(NamedTuple):
    """A run that goes on: one line of what is done already, and the number of the last event before that."""

    text: str
    last_event: int


def resumed_input(
    spec: ProjectSpec, state: ProjectState, changes: ResumeChanges, unbooked: Mapping[str, UncertainCharge]
) -> ProjectInput:
    """The input of the next run. `spec` has its texts, and models as they are today.

    `unbooked`: requests that the last run sent after it stored `state`, by key. Raises UserInputError for a budget
    below what is spent already.
    """
    ledger = _ledger(state.ledger, changes, unbooked)
    tasks = resumed(state.plan, state.tasks, state.suspended, state.generation + 1, retry_failed=changes.retry_failed)
    # A run that was broken off in its integration, with nothing else left to do, repeats no call of it.
    integrates = state.phase is ProjectStatus.INTEGRATING and not unfinished(tasks)
    spec = spec.model_copy(
        update={
            "plan_only": False,
            "advise_only": False,
            "max_micro": ledger.max_micro,
            **_given(changes, "time_limit_s", "concurrency", "approve_plan", "on_exhausted"),
        }
    )
    again = state.model_copy(
        update={
            "clock": Clock(started_s=0.0),  # the workflow starts it
            "time_limit_s": spec.time_limit_s if changes.time_limit_s else state.time_limit_s,
            "concurrency": spec.concurrency if changes.concurrency else state.concurrency,
            "ledger": ledger,
            "tasks": tasks,
            "suspended": {},
            "calls": {name: call for name, call in state.calls.items() if _goes_on(tasks, name)},
            "breakers": Breakers(),
            "prepared": None,
            "stopped": None,
            "stop_reason": "",
            "exhausted": False,
            "failure": "",
        }
    )
    if not integrates:
        afresh = {"phase": ProjectStatus.PLANNING, "integration": Integration(), "generation": state.generation + 1}
        again = again.model_copy(update=afresh)
    return ProjectInput(spec=spec, state=again, resumed=True)


def _ledger(ledger: Ledger, changes: ResumeChanges, unbooked: Mapping[str, UncertainCharge]) -> Ledger:
    """Earlier spending counts against the cap, also what a broken-off run had sent and could not book."""
    for key in ledger.reserved:
        ledger = ledger.carry(key, "")
    ledger = ledger.model_copy(update={"carried": {**ledger.carried, **unbooked}})
    if changes.max_micro is None:
        return ledger
    if changes.max_micro < ledger.committed_micro:
        raise UserInputError(
            f"--budget: ${usd(changes.max_micro):.6f} is below the ${usd(ledger.committed_micro):.6f} spent already"
        )
    return ledger.model_copy(update={"max_micro": changes.max_micro})


def _goes_on(tasks: Mapping[str, TaskState], call: str) -> bool:
    owner = tasks.get(call.split("/")[0])
    return owner is not None and owner.status not in FINAL


def _given(changes: ResumeChanges, *names: str) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(changes, name)) is not None}
