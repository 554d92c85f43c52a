"""What models are asked to return as structured output."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.domain.tasks import TaskType


class _Answer(BaseModel):
    """Answers of models may carry fields that we did not ask for; they are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PlannedTask(_Answer):
    """One task as the planning model proposes it."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = Field(min_length=1, max_length=200)
    type: TaskType
    prompt: str = Field(min_length=1, max_length=20_000)
    dependencies: list[str] = []
    files: list[str] = []
    validators: list[str] = []


class PlanAnswer(_Answer):
    """The whole plan."""

    tasks: list[PlannedTask] = Field(min_length=1, max_length=2000)


class Verdict(StrEnum):
    """What a reviewer asks for."""

    APPROVE = "approve"
    REVISE = "revise"


class CritiqueIssue(_Answer):
    """One thing that a reviewer wants changed; `line` counts from 1, 0 if it has none."""

    file: str = ""
    line: int = 0
    message: str


class Critique(_Answer):
    """A reviewer's opinion; `score` between 0 and 1."""

    score: float = Field(ge=0, le=1)
    verdict: Verdict
    issues: list[CritiqueIssue] = []


class Evaluation(_Answer):
    """A judge's score between 0 and 1."""

    score: float = Field(ge=0, le=1)
    reasoning: str = ""
