"""Watches runs in this process and keeps their traces."""

from datetime import UTC, datetime

from orchestrator.pipelines.functions import text_of
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.pipelines.results import PipelineResult, StepResult
from orchestrator.pipelines.steps import PipelineStep
from orchestrator.pipelines.traces import PipelineTrace, StepTrace, preview


class PipelineObserver:
    """Collects traces. `on_step_start` and `on_step_end` can be given to an executor."""

    def __init__(self) -> None:
        self.traces: list[PipelineTrace] = []
        self.current_trace: PipelineTrace | None = None

    def start_pipeline(self, pipeline: Pipeline) -> PipelineTrace:
        """A run begins."""
        began = datetime.now(UTC).isoformat()
        self.current_trace = PipelineTrace(pipeline.name, pipeline.version, started_at=began)
        return self.current_trace

    def on_step_start(self, step: PipelineStep) -> None:
        """A step begins; it is in the trace once it has ended."""

    def on_step_end(self, step: PipelineStep, result: StepResult) -> None:
        """A step has ended or was skipped."""
        if self.current_trace is not None:
            self.current_trace.add_step_trace(step_trace(result))

    def end_pipeline(self, *, success: bool) -> PipelineTrace:
        """The run has ended. Raises RuntimeError if none was begun."""
        if self.current_trace is None:
            raise RuntimeError("no pipeline was started")
        trace, self.current_trace = self.current_trace, None
        trace.finalize(success=success)
        self.traces.append(trace)
        return trace

    def build_trace_from_result(self, pipeline: Pipeline, result: PipelineResult) -> PipelineTrace:
        """The trace of a run that has ended, which is kept too."""
        trace = trace_of(pipeline, result)
        self.traces.append(trace)
        return trace

    def print_result(self, pipeline: Pipeline, result: PipelineResult) -> None:
        """The trace on the standard output."""
        from rich.console import Console

        Console().print(trace_of(pipeline, result).to_markdown(), markup=False, highlight=False)


def trace_of(pipeline: Pipeline, result: PipelineResult) -> PipelineTrace:
    """The trace of a run that has ended."""
    trace = PipelineTrace(
        pipeline.name,
        pipeline.version,
        [step_trace(step) for step in result.steps_results],
        error=result.error,
        started_at=datetime.fromtimestamp(result.started_s, UTC).isoformat(),
    )
    ended_s = result.started_s + result.total_latency_ms / 1000
    trace.finalize(success=result.success, completed_at=datetime.fromtimestamp(ended_s, UTC))
    return trace


def step_trace(step: StepResult) -> StepTrace:
    """The trace of one step."""
    return StepTrace(
        step_name=step.step_name,
        model=step.model_used,
        input_preview=preview(step.input_preview),
        output_preview=preview(text_of(step.output)),
        latency_ms=step.latency_ms,
        tokens_used=step.tokens_used,
        cost=step.cost,
        success=step.success,
        error=step.error,
        skipped=step.skipped,
        timestamp=step.timestamp,
        attempts=step.attempts,
    )
