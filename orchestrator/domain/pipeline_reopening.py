"""An ended run goes on: what is done stays done, what failed or was cancelled is done afresh."""

from orchestrator.domain.pipeline_advance import advanced
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import DONE, PipelineState, StepState, StepStatus


def reopened(plan: PipelinePlan, state: PipelineState, now_s: float) -> PipelineState:
    """The progress of the next run. Steps that hold others keep those that are done; time limits begin anew."""
    kept = {
        instance: _again(each, now_s) for instance, each in state.steps.items() if each.status in DONE or _began(each)
    }
    return advanced(plan, state.model_copy(update={"steps": kept, "failed": "", "reason": ""}), now_s)


def _began(step: StepState) -> bool:
    """False for a step that was only cancelled because the run ended before it."""
    return step.started_s > 0.0


def _again(step: StepState, now_s: float) -> StepState:
    if step.status in DONE:
        return step
    return step.model_copy(update={"status": StepStatus.RUNNING, "reason": "", "started_s": now_s, "ended_s": 0.0})
