"""Vocabulary of tasks and stages."""

from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.refs import BlobRef

PROJECT = "project"  # owner of calls and files that belong to no task


class TaskType(StrEnum):
    """Kinds of work; each has its own routing and quality rules."""

    CODE_GENERATION = "code_generation"
    CODE_REVIEW = "code_review"
    COMPLEX_REASONING = "complex_reasoning"
    CREATIVE_WRITING = "creative_writing"
    DATA_EXTRACTION = "data_extraction"
    SUMMARIZATION = "summarization"
    EVALUATION = "evaluation"


class Stage(StrEnum):
    """Stages that call a model."""

    ENHANCE = "enhance"
    ADVISE = "advise"
    PLAN = "plan"
    GENERATE = "generate"
    CRITIQUE = "critique"
    REVISE = "revise"
    EVALUATE = "evaluate"
    REPAIR = "repair"
    JUDGE = "judge"


class TaskSpec(Frozen):
    """One node of the plan. `files` are the paths that this task owns; its instructions live in the store."""

    id: str
    title: str
    type: TaskType
    dependencies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()
    prompt: BlobRef
