"""What models are asked to return as structured output."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.domain.tasks import TaskType
from orchestrator.domain.text import one_line


class _Answer(BaseModel):
    """Answers of models may carry fields that we did not ask for; they are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _lenient_text(value: object) -> object:
    """What models write where a text is wanted: a number, or a list of texts."""
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value)
    return one_line(str(value), LINE_CHARS) if isinstance(value, str | int | float) else ""


def _lenient_list(value: object) -> object:
    """A list of texts, also where a model wrote them into one, separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    return [text for part in parts if (text := _lenient_text(part))] if isinstance(parts, list) else []


LINE_CHARS = 300
RATIONALE_CHARS = 2000
LenientText = Annotated[str, BeforeValidator(_lenient_text)]


class ArchitectureAnswer(_Answer):
    """What an architect advises; only the type of the software must be named."""

    app_type: LenientText = Field(min_length=1)
    structural_pattern: LenientText = ""
    topology: LenientText = ""
    data_paradigm: LenientText = ""
    api_paradigm: LenientText = ""
    stack: Annotated[list[str], BeforeValidator(_lenient_list)] = []
    entry_point: LenientText = ""
    run_command: LenientText = ""
    build_command: LenientText = ""
    test_command: LenientText = ""
    rationale: Annotated[str, BeforeValidator(lambda value: one_line(str(value), RATIONALE_CHARS))] = ""


MAX_PATCH_CHARS = 600


class SuggestionKind(StrEnum):
    """What a suggestion is about."""

    COMPLETENESS = "completeness"  # something that the project text leaves open
    CRITERION = "criterion"  # a way to tell that it is done
    RISK = "risk"  # something that may go wrong


class Suggestion(_Answer):
    """One way to make the project text better: what is added to the text, and what to the criteria."""

    kind: SuggestionKind
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=1000)
    patch_project: str = Field(default="", max_length=MAX_PATCH_CHARS)
    patch_criteria: str = Field(default="", max_length=MAX_PATCH_CHARS)


class SuggestionsAnswer(_Answer):
    """All suggestions, as a model is asked for them."""

    suggestions: list[Suggestion]


class UncheckedSuggestions(_Answer):
    """The same as they are read: each is checked for itself, so that a bad one takes no other with it."""

    suggestions: list[Any]


class PlannedTask(_Answer):
    """One task as the planning model proposes it."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = Field(min_length=1, max_length=200)
    type: TaskType
    prompt: str = Field(min_length=1, max_length=20_000)
    dependencies: list[str] = []
    files: list[str] = []
    validators: list[str] = []


class PlannedPackages(_Answer):
    """Packages that the software needs: PEP 508 requirements, and `name@range` for Node."""

    python: list[str] = []
    node: list[str] = []


class PlanAnswer(_Answer):
    """The whole plan."""

    packages: PlannedPackages = PlannedPackages()
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


class CriterionAnswer(_Answer):
    """A judge's word on the criterion with this number; `file`: what would have to change for it to hold."""

    number: int
    met: bool
    evidence: str = ""
    file: str = ""


class CriteriaAnswer(_Answer):
    """Which of the criteria hold."""

    results: list[CriterionAnswer]


class Evaluation(_Answer):
    """A judge's score between 0 and 1."""

    score: float = Field(ge=0, le=1)
    reasoning: str = ""
