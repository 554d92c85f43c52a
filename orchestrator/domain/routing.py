"""Which model gets a call: the order of candidates, before health and budget have their say."""

from collections.abc import Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.quality import JUDGES
from orchestrator.domain.steps import Step, TaskState
from orchestrator.domain.tasks import Stage, TaskSpec, TaskType

# Stages that are a kind of work of their own, whatever the task's type is.
_STAGE_TYPES = {
    Stage.PLAN: TaskType.COMPLEX_REASONING,
    Stage.CRITIQUE: TaskType.CODE_REVIEW,
    Stage.EVALUATE: TaskType.EVALUATION,
    Stage.JUDGE: TaskType.EVALUATION,
}
_WRITING = (Stage.GENERATE, Stage.REVISE, Stage.REPAIR)
_JUDGING = (Stage.CRITIQUE, Stage.EVALUATE, Stage.JUDGE)


def usable_models(models: tuple[ModelSpec, ...], vendors: tuple[str, ...]) -> tuple[ModelSpec, ...]:
    """Models of vendors that the worker can speak to; simulated ones only where there is no other."""
    real = tuple(m for m in models if m.vendor in vendors and not m.simulated)
    return real or tuple(m for m in models if m.vendor in vendors and m.simulated)


def ranked(
    stage: Stage,
    task_type: TaskType,
    models: tuple[ModelSpec, ...],
    routing: dict[TaskType, tuple[str, ...]],
) -> tuple[ModelSpec, ...]:
    """All models, those of the type's table first in its order, then the rest by quality."""
    table = routing.get(_STAGE_TYPES.get(stage, task_type), ())
    position = {model_id: index for index, model_id in enumerate(table)}
    return tuple(sorted(models, key=lambda m: (position.get(m.id, len(position)), -m.quality, m.id)))


def away_from(ranking: tuple[ModelSpec, ...], others: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    """The ranking for someone who must judge the work of the first of `others` beside the rest of them.

    Vendors that none of them belongs to come first, then other vendors than the author's, then other models,
    the author itself last; the ranking decides within each group.
    """
    if not others:
        return ranking
    author = others[0]
    vendors = {m.vendor for m in others}
    ids = {m.id for m in others}

    def distance(model: ModelSpec) -> int:
        if model.vendor not in vendors:
            return 0
        if model.vendor != author.vendor:
            return 1 if model.id not in ids else 2
        return 3 if model.id != author.id else 4

    return tuple(sorted(ranking, key=distance))


def escalated(ranking: tuple[ModelSpec, ...], author: ModelSpec | None, steps: int) -> tuple[ModelSpec, ...]:
    """The ranking for an author: the one that has the task first, or after `steps` escalations its successors."""
    if author is None or author not in ranking:
        return ranking
    start = (ranking.index(author) + steps) % len(ranking)
    return (*ranking[start:], *ranking[:start])


class ModelOverride(Frozen):
    """Models that somebody wants to be asked first, in this order; an empty task or type matches every one.

    Without a stage it is about who writes: a critic or judge is only replaced where the stage says so, since nobody
    should review their own work unasked.
    """

    models: tuple[str, ...]  # ids
    task: str = ""
    type: TaskType | None = None
    stage: Stage | None = None

    @property
    def precision(self) -> tuple[bool, bool, bool]:
        """What names the task beats what names the stage, which beats what names the type."""
        return bool(self.task), self.stage is not None, self.type is not None

    def applies(self, task: str, task_type: TaskType, stage: Stage) -> bool:
        """Whether a call of this task and stage is meant."""
        stages = _WRITING if self.stage is None else (self.stage,)
        return self.task in ("", task) and self.type in (None, task_type) and stage in stages


def overriding(
    overrides: Sequence[ModelOverride], task: str, task_type: TaskType, stage: Stage
) -> ModelOverride | None:
    """The most precise override that applies to the call, the latest of them where several are as precise."""
    found = [override for override in overrides if override.applies(task, task_type, stage)]
    return max(reversed(found), key=lambda override: override.precision, default=None)


def preferring(ranking: tuple[ModelSpec, ...], ids: Sequence[str], steps: int) -> tuple[ModelSpec, ...]:
    """The ranking with these models first, in their order; `steps` escalations turn to the next of them."""
    wanted = [model for name in ids for model in ranking if model.id == name]
    turned = wanted[steps % len(wanted) :] + wanted[: steps % len(wanted)] if wanted else []
    return (*turned, *(model for model in ranking if model not in wanted))


class ProjectModels(Frozen):
    """Usable models, the tables that rank them, and what somebody wants instead."""

    models: tuple[ModelSpec, ...]
    routing: dict[TaskType, tuple[str, ...]]
    overrides: tuple[ModelOverride, ...] = ()


class Work(Frozen):
    """What a model is sought for. `task` is the owner: a task's id, or "project".

    `author`: id of the model whose work it is about. It goes on with it, or after `escalations` its successors do; a
    critic or judge should be somebody else. `role` tells the judges apart.
    """

    task: str
    type: TaskType
    stage: Stage
    role: str = ""
    author: str = ""
    escalations: int = 0


def work_of(task: TaskSpec, state: TaskState, step: Step) -> Work:
    """The work of a step that calls a model, of a task in this state."""
    assert step.stage is not None
    last = state.current.author if state.current else ""
    return Work(
        task=task.id,
        type=task.type,
        stage=step.stage,
        role=step.role,
        author=state.first_author if step.stage is Stage.GENERATE else last,
        escalations=state.escalations,
    )


def repair_of(task: TaskSpec, state: TaskState, round_: int) -> Work:
    """The work of repairing a task in a round of integration; the first round is 1."""
    assert state.best is not None
    return Work(task=task.id, type=task.type, stage=Stage.REPAIR, author=state.best.author, escalations=round_ - 1)


def ranking(work: Work, given: ProjectModels) -> tuple[ModelSpec, ...]:
    """All models in the order in which this work is offered to them, before health and budget have their say."""
    by_rule = _by_rule(work, ranked(work.stage, work.type, given.models, given.routing))
    override = overriding(given.overrides, work.task, work.type, work.stage)
    return preferring(by_rule, override.models, work.escalations) if override else by_rule


def _by_rule(work: Work, order: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    author = next((model for model in order if model.id == work.author), None)
    if work.stage not in _JUDGING:
        steps = 0 if work.stage is Stage.REVISE else work.escalations  # what was written is revised by its author
        return escalated(order, author, steps)
    others = (author,) if author else ()
    first = away_from(order, others)
    return away_from(order, (*others, *first[:1])) if work.role == JUDGES[1] else first
