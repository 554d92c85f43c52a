"""Hooks of the Python API: `from orchestrator.hooks import EventType`."""

from orchestrator.api.hooks import EventType, HookRegistry

__all__ = ["EventType", "HookRegistry"]
