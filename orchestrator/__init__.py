"""Durable multi-LLM orchestrator (docs/python.md), its router (docs/router.md) and pipelines (docs/pipelines.md)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api.app_builder import AppBuilder, AppBuildResult
    from orchestrator.api.events import ProjectEventBus
    from orchestrator.api.forecasting import CostForecaster, CostPredictor, ExecutionPlan
    from orchestrator.api.orchestrator import Orchestrator
    from orchestrator.api.state_manager import StateManager
    from orchestrator.api.values import Budget, JobSpec, ProjectState, Task, TaskResult
    from orchestrator.client.advisor import ArchitectureAdvisor
    from orchestrator.langchain import MultiLLMOrchestrator
    from orchestrator.pipelines.executor import PipelineExecutor
    from orchestrator.pipelines.pipeline import Pipeline
    from orchestrator.router import Router

_MODULES = {
    "orchestrator.api.app_builder": ("AppBuilder", "AppBuildResult"),
    "orchestrator.api.events": ("ProjectEventBus",),
    "orchestrator.api.forecasting": ("CostForecaster", "CostPredictor", "ExecutionPlan"),
    "orchestrator.api.orchestrator": ("Orchestrator",),
    "orchestrator.api.state_manager": ("StateManager",),
    "orchestrator.api.values": ("Budget", "JobSpec", "ProjectState", "Task", "TaskResult"),
    "orchestrator.client.advisor": ("ArchitectureAdvisor",),
    "orchestrator.langchain": ("MultiLLMOrchestrator",),
    "orchestrator.pipelines.executor": ("PipelineExecutor",),
    "orchestrator.pipelines.pipeline": ("Pipeline",),
    "orchestrator.router": ("Router",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [  # noqa: RUF022
    "AppBuilder",
    "AppBuildResult",
    "ArchitectureAdvisor",
    "Budget",
    "CostForecaster",
    "CostPredictor",
    "ExecutionPlan",
    "JobSpec",
    "MultiLLMOrchestrator",
    "Orchestrator",
    "Pipeline",
    "PipelineExecutor",
    "ProjectEventBus",
    "ProjectState",
    "Router",
    "StateManager",
    "Task",
    "TaskResult",
]


def __getattr__(name: str) -> Any:
    # Loaded when it is used: workflows import this package, and the command line must start at once.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
