"""Policies in files: which models a run may ask at all."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.project_models import ModelName
from orchestrator.domain.policy import Policy
from orchestrator.settings.yaml_files import Section, shaped
from orchestrator.settings.yaml_source import read_document

_PAGE = "docs/project-file.md"

_RULES = ("allowed_vendors", "blocked_vendors", "blocked_models", "allowed_regions")
_VENDORS = "name the vendors that may be asked with 'allowed_vendors'"


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:  # an empty list of what is allowed would forbid everything or nothing, depending on the reader
        raise ValueError("is empty; name at least one or remove the line")
    return tuple(dict.fromkeys(values))


def _hard(mode: str) -> str:
    if mode.strip().lower() != "hard":
        raise ValueError(f"every policy holds, so only 'hard' makes sense; remove the line; got {mode[:60]!r}")
    return "hard"


_Names = Annotated[tuple[str, ...], AfterValidator(_some)]


class PolicySection(Section):
    """Rules about models. All policies hold together; a model that one of them forbids receives no request."""

    name: str = Field(default="", max_length=200)
    """What the records call the policy."""
    allowed_vendors: _Names | None = None
    """Only models of these vendors."""
    allowed_providers: _Names | None = None
    """The same as allowed_vendors."""
    blocked_vendors: _Names | None = None
    """No model of these vendors."""
    blocked_providers: _Names | None = None
    """The same as blocked_vendors."""
    blocked_models: Annotated[tuple[ModelName, ...], AfterValidator(_some)] | None = None
    """None of these models."""
    allowed_regions: _Names | None = None
    """Only models that are served in these regions; a model whose region is not known is not allowed."""
    enforcement_mode: Annotated[str, AfterValidator(_hard)] | None = None
    """Always hard: a policy holds."""

    replaced: ClassVar[Mapping[str, str]] = {
        "allowed_models": f"{_VENDORS}, and what is not allowed of theirs with 'blocked_models'",
        "allow_training_on_output": f"terms of use are not known here: {_VENDORS}",
        "pii_allowed": f"data is not looked at: {_VENDORS}",
        "max_cost_per_task_usd": "the cap is that of the project, 'budget'",
        "cost_cap_usd": "the cap is that of the project, 'budget'",
        "max_latency_ms": "name slow models with 'blocked_models'",
        "min_quality_score": "set 'quality_targets' of the project",
        "rate_limit": "'concurrency' of the project bounds the calls at a time",
    }

    @model_validator(mode="after")
    def _has_a_rule(self) -> "PolicySection":
        if self.policy("") == Policy(name=self.name):
            raise ValueError(f"has no rule; known rules: {', '.join(_RULES)}")
        return self

    def policy(self, unnamed: str) -> Policy:
        """The policy, which is called `unnamed` where it has no name."""
        return Policy(
            name=self.name or unnamed,
            allowed_vendors=_both(self.allowed_vendors, self.allowed_providers),
            blocked_vendors=_both(self.blocked_vendors, self.blocked_providers),
            blocked_models=self.blocked_models or (),
            allowed_regions=self.allowed_regions or (),
        )


def _both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(one or ()), *(other or ()))))


def _any(policies: tuple[PolicySection, ...]) -> tuple[PolicySection, ...]:
    if not policies:
        raise ValueError("is empty; name at least one policy")
    return policies


class PolicyFile(Section):
    """A file of policies that a project file refers to, or the command line."""

    policies: Annotated[tuple[PolicySection, ...], AfterValidator(_any)]
    """The policies, which hold together."""


def read_policies(file: Path, resolve: ModelResolver) -> Iterator[Policy]:
    """The policies of a PolicyFile. Raises UserInputError with everything that is wrong in it, each at its line."""
    document = read_document(file, nulls=False)
    for number, section in enumerate(shaped(document, PolicyFile, page=_PAGE, context=resolve).policies):
        yield section.policy(f"{file.name}[{number}]")
