"""Validated updates of a running project: what an operator may ask for.

A request that makes no sense just now is rejected with a reason and leaves no trace in the run. An accepted one
is an event that names who asked, and is answered by one line that says what it did.
"""

from typing import Annotated

from pydantic import Field

from orchestrator.contracts.names import (
    UPDATE_ADD_GUIDANCE,
    UPDATE_APPROVE_PLAN,
    UPDATE_CHOOSE_SUGGESTIONS,
    UPDATE_OVERRIDE_MODEL,
    UPDATE_RETRY_TASK,
    UPDATE_SET_BUDGET,
    UPDATE_SET_CONCURRENCY,
    UPDATE_SET_TIME_LIMIT,
    UPDATE_SKIP_TASK,
)
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.base import Frozen
from orchestrator.domain.tasks import Stage

MAX_GUIDANCE_CHARS = 4_000


class Request(Frozen):
    """Who asks, such as `ann@laptop`; empty where that is not known."""

    by: Annotated[str, Field(max_length=120)] = ""


class ApprovePlan(Request):
    """Go on with the plan, or with an edited one.

    Accepted while the plan waits for approval. An edited plan is also accepted while the run is paused before its
    integration: tasks that have begun must stay as they are, the others may change, come or go.
    """

    tasks: tuple[PlannedTask, ...] | None = None


class ChooseSuggestions(Request):
    """Go on with these suggestions, by their ids, and without the others.

    Accepted while suggestions wait for a choice; the same choice again changes nothing.
    """

    accepted: tuple[str, ...] = ()


class SetBudget(Request):
    """A new cap in micro-USD, not below what is spent, uncertain or reserved."""

    max_micro: int


class SetTimeLimit(Request):
    """A new limit of active time in seconds, above what has passed."""

    time_limit_s: float


class SetConcurrency(Request):
    """How many tasks may run at a time, 1 to 64."""

    concurrency: int


class RetryTask(Request):
    """Start a finished task afresh; tasks that were skipped because of it come back."""

    task: str


class SkipTask(Request):
    """Do nothing more for a task that is not finished; what depends on it is skipped."""

    task: str


class OverrideModel(Request):
    """Ask this model first for a task, or for one stage of it, from its next call on. `model` is `vendor:model`."""

    task: str
    stage: Stage | None = None
    model: str


class AddGuidance(Request):
    """Something that every later call of a task is told; of all tasks where `task` is empty."""

    task: str = ""
    text: Annotated[str, Field(max_length=MAX_GUIDANCE_CHARS)]


UPDATES: dict[type[Request], str] = {
    ChooseSuggestions: UPDATE_CHOOSE_SUGGESTIONS,
    ApprovePlan: UPDATE_APPROVE_PLAN,
    SetBudget: UPDATE_SET_BUDGET,
    SetTimeLimit: UPDATE_SET_TIME_LIMIT,
    SetConcurrency: UPDATE_SET_CONCURRENCY,
    RetryTask: UPDATE_RETRY_TASK,
    SkipTask: UPDATE_SKIP_TASK,
    OverrideModel: UPDATE_OVERRIDE_MODEL,
    AddGuidance: UPDATE_ADD_GUIDANCE,
}
