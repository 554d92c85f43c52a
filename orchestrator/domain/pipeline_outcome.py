"""How a pipeline's run ends: the first status that applies."""

from orchestrator.domain.outcome import Ending, ProjectStatus
from orchestrator.domain.pipeline_state import PipelineState, StepStatus


def pipeline_ending(
    progress: PipelineState, stopped: ProjectStatus | None, stop_reason: str, *, exhausted: bool, timed_out: bool
) -> Ending:
    """`stopped`: CANCELLED; `exhausted`: the budget refused a step; `timed_out`: the step that failed took too long."""
    if stopped is not None:
        return Ending(status=stopped, reason=stop_reason)
    if not progress.failed:
        return Ending(status=ProjectStatus.SUCCESS)
    if exhausted:
        return Ending(status=ProjectStatus.BUDGET_EXHAUSTED, reason=progress.reason)
    if timed_out:
        return Ending(status=ProjectStatus.TIMEOUT, reason=progress.reason)
    some = any(step.status is StepStatus.COMPLETED for step in progress.steps.values())
    status = ProjectStatus.PARTIAL_SUCCESS if some else ProjectStatus.SYSTEM_FAILURE
    return Ending(status=status, reason=progress.reason)
