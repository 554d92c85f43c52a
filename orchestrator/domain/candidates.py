"""Which models a forecast has to reckon with: the one that is expected, and those that the rules could turn to."""

from collections.abc import Iterable
from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.integration import MAX_ROUNDS
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.quality import JUDGES, RULES
from orchestrator.domain.routing import ProjectModels, Work, ranking
from orchestrator.domain.tasks import Stage, TaskType


class Role(StrEnum):
    """Who a call is for."""

    PLANNER = "planner"
    AUTHOR = "author"
    CRITIC = "critic"
    JUDGE = "judge"
    SECOND_JUDGE = "second judge"
    REPAIRER = "repairer"


class Candidates(Frozen):
    """`first` is asked if nothing goes wrong; `possible` are all that can be, while every vendor is well."""

    first: ModelSpec
    possible: tuple[ModelSpec, ...]


def candidates_of(role: Role, task_id: str, task_type: TaskType, stage: Stage, models: ProjectModels) -> Candidates:
    """The models of one role in one stage of a task."""
    work = Work(task=task_id, type=task_type, stage=stage)
    match role:
        case Role.PLANNER:
            possible = _asked(work, ("",), 1, models)
        case Role.AUTHOR | Role.REPAIRER:
            possible = _authors(work, models)[stage]
        case Role.CRITIC | Role.JUDGE | Role.SECOND_JUDGE:
            if role is Role.SECOND_JUDGE:
                work = work.model_copy(update={"role": JUDGES[1]})
            authors = _unique(model for found in _authors(work, models).values() for model in found)
            possible = _asked(work, _ids(authors), _turns_of_others(task_type, models), models)
    return Candidates(first=possible[0], possible=possible)


def _authors(work: Work, models: ProjectModels) -> dict[Stage, tuple[ModelSpec, ...]]:
    """Who may write in each stage that writes, the expected one first."""
    first = _asked(_at(work, Stage.GENERATE), ("",), 1, models)
    writers = _asked(_at(work, Stage.GENERATE), _ids(first), RULES[work.type].max_iterations, models)
    revisers = _asked(_at(work, Stage.REVISE), _ids(writers), _turns_of_others(work.type, models), models)
    return {
        Stage.GENERATE: writers,
        Stage.REVISE: revisers,
        Stage.REPAIR: _repairers(_at(work, Stage.REPAIR), _unique((*writers, *revisers)), models),
    }


def _repairers(repair: Work, authors: tuple[ModelSpec, ...], models: ProjectModels) -> tuple[ModelSpec, ...]:
    """In each round the last author, whoever that is by then, or one of its successors."""
    found: tuple[ModelSpec, ...] = ()
    for round_ in range(MAX_ROUNDS):
        asked = _unique(ranking(_by(repair, author, round_), models)[0] for author in _ids(authors))
        authors, found = _unique((*authors, *asked)), _unique((*found, *asked))
    return found


def _asked(work: Work, authors: tuple[str, ...], turns: int, models: ProjectModels) -> tuple[ModelSpec, ...]:
    """Who is asked, whichever of `authors` (ids) wrote and however often, below `turns`, the task has escalated."""
    return _unique(ranking(_by(work, author, turn), models)[0] for author in authors for turn in range(turns))


def _turns_of_others(task_type: TaskType, models: ProjectModels) -> int:
    """How many places of the escalation matter beside the writer's own: without an override only one."""
    return RULES[task_type].max_iterations if models.overrides else 1


def _at(work: Work, stage: Stage) -> Work:
    return Work(task=work.task, type=work.type, stage=stage)


def _by(work: Work, author: str, escalations: int) -> Work:
    return work.model_copy(update={"author": author, "escalations": escalations})


def _ids(models: Iterable[ModelSpec]) -> tuple[str, ...]:
    return tuple(model.id for model in models)


def _unique(models: Iterable[ModelSpec]) -> tuple[ModelSpec, ...]:
    return tuple({model.id: model for model in models}.values())
