"""Durable multi-LLM orchestrator, and the router as a library: `from orchestrator import Router`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.client.advisor import ArchitectureAdvisor
    from orchestrator.langchain import MultiLLMOrchestrator
    from orchestrator.router import Router

__all__ = ["ArchitectureAdvisor", "MultiLLMOrchestrator", "Router"]


def __getattr__(name: str) -> Any:
    # Loaded when it is used: workflows import this package, and the command line must start at once.
    if name == "Router":
        from orchestrator.router import Router

        return Router
    if name == "ArchitectureAdvisor":
        from orchestrator.client.advisor import ArchitectureAdvisor

        return ArchitectureAdvisor
    if name == "MultiLLMOrchestrator":
        from orchestrator.langchain import MultiLLMOrchestrator

        return MultiLLMOrchestrator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
