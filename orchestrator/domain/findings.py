"""What deterministic checks report."""

from enum import StrEnum

from orchestrator.domain.base import Frozen


class CheckStatus(StrEnum):
    """Outcome of one validator."""

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "unchecked"  # could not run here (no sandbox, tool missing): never counts as passed
    NOT_APPLICABLE = "not_applicable"  # nothing for it to look at, such as ruff without Python files


class Finding(Frozen):
    """One defect. `path` is relative to the workspace; `line` counts from 1, 0 if unknown."""

    validator: str
    path: str = ""
    line: int = 0
    rule: str = ""
    message: str


class CheckResult(Frozen):
    """Outcome of one validator over one workspace. FAILED has at least one finding.

    `limit` names the sandbox limit that ended the run (`wall`, `cpu`, `memory`, `processes`, `disk`,
    `output`), empty if none did.
    """

    validator: str
    status: CheckStatus
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    limit: str = ""
    duration_s: float = 0.0
