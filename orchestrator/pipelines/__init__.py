"""Pipelines of model calls, declared in YAML or Python. Each name is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.domain.pipeline import BackoffStrategy, InputSpec, RetryPolicy
    from orchestrator.pipelines.executor import AsyncPipelineExecutor, PipelineExecutor
    from orchestrator.pipelines.mock import mock_model_call
    from orchestrator.pipelines.observability import PipelineObserver
    from orchestrator.pipelines.pipeline import Pipeline
    from orchestrator.pipelines.results import PipelineResult, StepResult
    from orchestrator.pipelines.retry import CircuitBreaker, FallbackChain, RetryStrategy, with_retry
    from orchestrator.pipelines.steps import (
        PipelineStep,
        StepType,
        create_conditional_step,
        create_for_each_step,
        create_llm_step,
        create_parallel_group,
        create_transform_step,
    )
    from orchestrator.pipelines.traces import PipelineTrace, StepTrace

_MODULES = {
    "orchestrator.domain.pipeline": ("BackoffStrategy", "InputSpec", "RetryPolicy"),
    "orchestrator.pipelines.executor": ("AsyncPipelineExecutor", "PipelineExecutor"),
    "orchestrator.pipelines.mock": ("mock_model_call",),
    "orchestrator.pipelines.observability": ("PipelineObserver",),
    "orchestrator.pipelines.pipeline": ("Pipeline",),
    "orchestrator.pipelines.results": ("PipelineResult", "StepResult"),
    "orchestrator.pipelines.retry": ("CircuitBreaker", "FallbackChain", "RetryStrategy", "with_retry"),
    "orchestrator.pipelines.steps": (
        *("PipelineStep", "StepType", "create_conditional_step", "create_for_each_step", "create_llm_step"),
        *("create_parallel_group", "create_transform_step"),
    ),
    "orchestrator.pipelines.traces": ("PipelineTrace", "StepTrace"),
}

__all__ = [
    "AsyncPipelineExecutor", "BackoffStrategy", "CircuitBreaker", "FallbackChain", "InputSpec", "Pipeline",
    "PipelineExecutor", "PipelineObserver", "PipelineResult", "PipelineStep", "PipelineTrace", "RetryPolicy",
    "RetryStrategy", "StepResult", "StepTrace", "StepType", "create_conditional_step", "create_for_each_step",
    "create_llm_step", "create_parallel_group", "create_transform_step", "mock_model_call", "with_retry",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
