"""Starting points of each type of app: files that build, lint and pass their tests as they are."""

from orchestrator.scaffolds.requirements import dependency_problems
from orchestrator.scaffolds.scaffold import listing, scaffold

__all__ = ["dependency_problems", "listing", "scaffold"]
