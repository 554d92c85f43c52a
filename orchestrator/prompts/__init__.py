"""Prompts of the stages, and what their answers mean."""

from orchestrator.prompts.build import build_prompt
from orchestrator.prompts.schemas import schema_for

__all__ = ["build_prompt", "schema_for"]
