"""Orders of models by quality, cost and trust. Policy, health and budget have their say after them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.tasks import TaskType

# What a typical call of a task reads and writes, in tokens: it makes one price of two.
_INPUT_TOKENS, _OUTPUT_TOKENS = 3000, 1500
_LEAST_MICRO = 1.0  # a free model is not infinitely good


class OptimizationBackend(Protocol):
    """Orders models, the one to be asked first in front. `trust`: share of usable answers so far, from 0 to 1."""

    @property
    def name(self) -> str:
        """What records call it."""

    def order(self, models: Sequence[ModelSpec], trust: Mapping[str, float]) -> tuple[ModelSpec, ...]:
        """All of `models`, which have known prices."""


class GreedyBackend(Frozen):
    """The most quality for the money."""

    name: str = "greedy"

    def order(self, models: Sequence[ModelSpec], trust: Mapping[str, float]) -> tuple[ModelSpec, ...]:
        return _by(models, lambda model: model.quality * trust.get(model.id, 1.0) / _cost(model))


class WeightedSumBackend(Frozen):
    """The highest weighted sum of quality, cheapness and trust, each from 0 to 1."""

    w_quality: float = 0.5
    w_cost: float = 0.3
    w_trust: float = 0.2
    name: str = "weighted_sum"

    def order(self, models: Sequence[ModelSpec], trust: Mapping[str, float]) -> tuple[ModelSpec, ...]:
        dearest = max((_cost(model) for model in models), default=_LEAST_MICRO)

        def worth(model: ModelSpec) -> float:
            cheapness = 1.0 - _cost(model) / dearest
            return self.w_quality * model.quality + self.w_cost * cheapness + self.w_trust * trust.get(model.id, 1.0)

        return _by(models, worth)


class ParetoBackend(Frozen):
    """Models that no other one beats in both quality and cost come first, the best of them in front."""

    name: str = "pareto"

    def order(self, models: Sequence[ModelSpec], trust: Mapping[str, float]) -> tuple[ModelSpec, ...]:
        def good(model: ModelSpec) -> float:
            return model.quality * trust.get(model.id, 1.0)

        def beaten(model: ModelSpec) -> bool:
            return any(
                good(other) >= good(model)
                and _cost(other) <= _cost(model)
                and (good(other), _cost(other)) != (good(model), _cost(model))
                for other in models
            )

        return _by(models, lambda model: (not beaten(model)) + good(model) / 2)


def routing_of(
    backend: OptimizationBackend, models: Sequence[ModelSpec], trust: Mapping[str, float]
) -> dict[TaskType, tuple[str, ...]]:
    """The table of a run in which `backend` orders the models of every task."""
    order = tuple(model.id for model in backend.order([model for model in models if model.prices], trust))
    return dict.fromkeys(TaskType, order)


def _by(models: Sequence[ModelSpec], worth: "Worth") -> tuple[ModelSpec, ...]:
    return tuple(sorted(models, key=lambda model: (-worth(model), model.id)))


class Worth(Protocol):
    """How much a model is worth; more is better."""

    def __call__(self, model: ModelSpec, /) -> float: ...


def _cost(model: ModelSpec) -> float:
    """A typical call in micro-USD."""
    tier = model.prices[0]
    cost = tier.input_micro * _INPUT_TOKENS + tier.output_micro * _OUTPUT_TOKENS
    return max(_LEAST_MICRO, cost / 1_000_000)
