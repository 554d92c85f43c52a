"""Which model is asked first: `from orchestrator.optimization import ParetoBackend`."""

from orchestrator.api.optimization import GreedyBackend, OptimizationBackend, ParetoBackend, WeightedSumBackend

__all__ = ["GreedyBackend", "OptimizationBackend", "ParetoBackend", "WeightedSumBackend"]
