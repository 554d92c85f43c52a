"""What each kind of task must reach, and how scores are combined."""

from collections.abc import Mapping

from orchestrator.domain.base import Frozen
from orchestrator.domain.tasks import Stage, TaskType

JUDGES = ("judge-1", "judge-2")
DISAGREEMENT = 0.05  # judges further apart than this: the lower score counts
PLATEAU = 0.02


class TypeRules(Frozen):
    """Acceptance threshold (0 to 1), iteration limit and output token limit of one task type."""

    threshold: float
    max_iterations: int
    max_output_tokens: int


RULES: dict[TaskType, TypeRules] = {
    TaskType.CODE_GENERATION: TypeRules(threshold=0.85, max_iterations=3, max_output_tokens=8192),
    TaskType.CODE_REVIEW: TypeRules(threshold=0.75, max_iterations=4, max_output_tokens=4096),
    TaskType.COMPLEX_REASONING: TypeRules(threshold=0.90, max_iterations=3, max_output_tokens=4096),
    TaskType.CREATIVE_WRITING: TypeRules(threshold=0.80, max_iterations=2, max_output_tokens=4096),
    TaskType.DATA_EXTRACTION: TypeRules(threshold=0.90, max_iterations=2, max_output_tokens=2048),
    TaskType.SUMMARIZATION: TypeRules(threshold=0.80, max_iterations=2, max_output_tokens=1024),
    TaskType.EVALUATION: TypeRules(threshold=0.80, max_iterations=2, max_output_tokens=2048),
}


def rules_for(task_type: TaskType, targets: Mapping[TaskType, float]) -> TypeRules:
    """The rules of a task type, with the project's own acceptance threshold where `targets` has one."""
    rules = RULES[task_type]
    target = targets.get(task_type)
    return rules if target is None else rules.model_copy(update={"threshold": target})


# Hidden reasoning counts as output: models that reason get twice the limit, and at least this many tokens more.
REASONING_TOKENS = 4096

_STAGE_TOKENS = {
    Stage.ENHANCE: 2048,
    Stage.ADVISE: 1024,
    Stage.PLAN: 8192,
    Stage.CRITIQUE: 2048,
    Stage.EVALUATE: 512,
    Stage.JUDGE: 4096,
}
_STAGE_MIN_TOKENS = {
    Stage.ENHANCE: 1024,
    Stage.ADVISE: 512,
    Stage.PLAN: 2048,
    Stage.CRITIQUE: 512,
    Stage.EVALUATE: 200,
    Stage.JUDGE: 512,
}
_WRITE_MIN_TOKENS = 512


def output_tokens(stage: Stage, task_type: TaskType) -> int:
    """Output token limit of a stage; stages that write files use the task type's."""
    return _STAGE_TOKENS.get(stage, RULES[task_type].max_output_tokens)


def with_reasoning(max_tokens: int) -> int:
    """The output limit of a model that reasons before it answers, for an answer of `max_tokens`."""
    return max_tokens + max(max_tokens, REASONING_TOKENS)


def min_output_tokens(stage: Stage) -> int:
    """Below this many output tokens a request of the stage makes no sense."""
    return _STAGE_MIN_TOKENS.get(stage, _WRITE_MIN_TOKENS)


def combine(scores: tuple[float | None, ...]) -> float | None:
    """One score of several judges: the mean, or the minimum where they disagree. None if nobody could score."""
    known = [score for score in scores if score is not None]
    if not known:
        return None
    if max(known) - min(known) > DISAGREEMENT:
        return min(known)
    return sum(known) / len(known)
