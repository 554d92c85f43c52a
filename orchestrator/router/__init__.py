"""Routes requests to one of several providers, in this process: `from orchestrator import Router`."""

from orchestrator.router.metrics import HealthStatus, ProviderMetrics
from orchestrator.router.router import Router

__all__ = ["HealthStatus", "ProviderMetrics", "Router"]
