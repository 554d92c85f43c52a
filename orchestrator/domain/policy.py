"""Policies: which models a run may ask at all. A model that any policy forbids receives no request."""

from collections.abc import Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec


class Policy(Frozen):
    """Rules about models. An empty list of what is allowed allows everything.

    Where regions are named, a model whose region is not known is not allowed.
    """

    name: str
    allowed_vendors: tuple[str, ...] = ()
    blocked_vendors: tuple[str, ...] = ()
    blocked_models: tuple[str, ...] = ()  # ids
    allowed_regions: tuple[str, ...] = ()


def forbidden(model: ModelSpec, policies: Sequence[Policy]) -> str:
    """Why the model may not be asked, empty if it may."""
    for policy in policies:
        if model.vendor in policy.blocked_vendors:
            return f"policy {policy.name} blocks {model.vendor}"
        if model.id in policy.blocked_models:
            return f"policy {policy.name} blocks it"
        if policy.allowed_vendors and model.vendor not in policy.allowed_vendors:
            return f"policy {policy.name} allows other vendors only"
        if policy.allowed_regions and model.region not in policy.allowed_regions:
            return f"policy {policy.name} does not allow region {model.region or 'unknown'}"
    return ""


def permitted(models: Sequence[ModelSpec], policies: Sequence[Policy]) -> tuple[ModelSpec, ...]:
    """The models that no policy forbids."""
    return tuple(model for model in models if not forbidden(model, policies))


def refusals(models: Sequence[ModelSpec], policies: Sequence[Policy]) -> tuple[str, ...]:
    """The models that some policy forbids, each with the reason."""
    return tuple(f"{model.id}: {why}" for model in models if (why := forbidden(model, policies)))
