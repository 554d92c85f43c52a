"""Which models a forecast has to reckon with: the one that is expected, and those that the rules could turn to."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from orchestrator.domain.base import Frozen
from orchestrator.domain.integration import MAX_ROUNDS
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.quality import RULES
from orchestrator.domain.routing import ModelOverride, away_from, overriding, ranked
from orchestrator.domain.tasks import Stage, TaskType


class Role(StrEnum):
    """Who a call is for."""

    PLANNER = "planner"
    AUTHOR = "author"
    CRITIC = "critic"
    JUDGE = "judge"
    SECOND_JUDGE = "second judge"
    REPAIRER = "repairer"


class Ranked(Protocol):
    """Models and what orders them; see `forecast.ProjectModels`."""

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """Usable models with prices; at least one."""

    @property
    def routing(self) -> dict[TaskType, tuple[str, ...]]:
        """Ids in order of preference."""

    @property
    def overrides(self) -> tuple[ModelOverride, ...]:
        """What somebody wants instead."""


class Candidates(Frozen):
    """`first` is asked if nothing goes wrong; `possible` are all that can be, while every vendor is well."""

    first: ModelSpec
    possible: tuple[ModelSpec, ...]


def candidates_of(role: Role, task_id: str, task_type: TaskType, stage: Stage, models: Ranked) -> Candidates:
    """The models of one role in one stage of a task."""
    ranking = ranked(stage, task_type, models.models, models.routing)
    override = overriding(models.overrides, task_id, task_type, stage)
    wanted = [model for name in override.models for model in ranking if model.id == name] if override else []
    if wanted:
        return Candidates(first=wanted[0], possible=_unique(wanted))
    if role is Role.PLANNER:
        return Candidates(first=ranking[0], possible=ranking[:1])
    if role is Role.AUTHOR and stage is Stage.GENERATE:
        return Candidates(first=ranking[0], possible=ranking[: RULES[task_type].max_iterations])
    writers = candidates_of(Role.AUTHOR, task_id, task_type, Stage.GENERATE, models)
    if role is Role.AUTHOR:  # who revises is who wrote
        return writers
    if role is Role.REPAIRER:
        return Candidates(first=writers.first, possible=_successors(ranking, writers.possible))
    found = [_away(role, ranking, author) for author in _authors(task_id, task_type, models)]
    return Candidates(first=found[0], possible=_unique(found))


def _successors(ranking: tuple[ModelSpec, ...], writers: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    """Who repairs: the author, then in each further round so many places down the ranking from the last repairer."""
    steps = [sum(range(round_)) for round_ in range(1, MAX_ROUNDS + 1)]
    return _unique(ranking[(ranking.index(writer) + step) % len(ranking)] for writer in writers for step in steps)


def _authors(task_id: str, task_type: TaskType, models: Ranked) -> tuple[ModelSpec, ...]:
    """Whose work may have to be judged, the expected author first."""
    roles = ((Role.AUTHOR, Stage.GENERATE), (Role.AUTHOR, Stage.REVISE), (Role.REPAIRER, Stage.REPAIR))
    found = [candidates_of(role, task_id, task_type, stage, models).possible for role, stage in roles]
    return _unique(model for possible in found for model in possible)


def _away(role: Role, ranking: tuple[ModelSpec, ...], author: ModelSpec) -> ModelSpec:
    first = away_from(ranking, (author,))[0]
    return away_from(ranking, (author, first))[0] if role is Role.SECOND_JUDGE else first


def _unique(models: Iterable[ModelSpec]) -> tuple[ModelSpec, ...]:
    return tuple({model.id: model for model in models}.values())
