"""A run of a pipeline as its user sees it: the JSON object, the lines, the trace."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from cli.console import columns
from cli.results import SIMULATED_NOTICE, money
from orchestrator.client.pipelines import PipelineOutput
from orchestrator.contracts.pipeline import PipelineView, StepView
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.text import duration, one_line, printable
from orchestrator.pipelines.traces import PipelineTrace, StepTrace

_MAX_LINES = 60


def output_text(value: JsonValue) -> str:
    """An output for a reader: a text as it is, anything else as JSON."""
    return printable(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


def result_object(found: PipelineOutput) -> dict[str, Any]:
    """The object of `pipeline run --json`, `status --json` and `watch --json`; its keys are stable."""
    view = found.view
    return {
        "run_id": view.run_id,
        "workflow_id": view.workflow_id,
        "pipeline": view.pipeline,
        "version": view.version,
        "status": view.status.value,
        "success": found.success,
        "final_output": found.final_output,
        "outputs": found.outputs,
        "spent_usd": usd(view.spent_micro),
        "uncertain_usd": usd(view.uncertain_micro),
        "reserved_usd": usd(view.reserved_micro),
        "max_usd": None if view.max_micro is None else usd(view.max_micro),
        "calls": view.calls,
        "total_tokens": sum(step.input_tokens + step.output_tokens for step in view.steps),
        "elapsed_s": round(view.elapsed_s, 3),
        "simulated": view.simulated,
        "reason": view.reason,
        "notes": list(view.notes),
        "steps": [_step_object(step) for step in view.steps],
    }


def _step_object(step: StepView) -> dict[str, Any]:
    return {
        "name": step.name,
        "step_type": step.kind,
        "output_key": step.output_key,
        "status": step.status,
        "model": step.model,
        "attempts": step.attempts,
        "latency_ms": step.latency_ms,
        "input_tokens": step.input_tokens,
        "output_tokens": step.output_tokens,
        "spent_usd": usd(step.spent_micro),
        "uncertain_usd": usd(step.uncertain_micro),
        "elements_done": step.done,
        "elements_total": step.total,
        "input_preview": step.prompt_preview,
        "output_preview": step.output_preview,
        "reason": step.reason,
    }


def summary(view: PipelineView) -> list[str]:
    """The run as lines for a reader."""
    lines = ["", f"{view.status.value}  {view.run_id}  {one_line(view.pipeline, 60)} {one_line(view.version, 20)}"]
    facts: list[tuple[str, ...]] = [("simulated", SIMULATED_NOTICE)] if view.simulated else []
    if view.reason:
        facts.append(("why", one_line(view.reason, 400)))
    facts += [("note", one_line(note, 400)) for note in view.notes]
    facts.append(("spent", spending(view)))
    facts.append(("time", f"{duration(view.elapsed_s)}, {view.calls} model calls"))
    rows = [_step_row(step) for step in view.steps[:_MAX_LINES]]
    lines += [*columns(facts), "", *columns(rows)]
    if len(view.steps) > _MAX_LINES:
        lines.append(f"  … and {len(view.steps) - _MAX_LINES} more steps")
    return lines


def spending(view: PipelineView) -> str:
    """What the run has cost, against its budget where it has one."""
    parts = [money(view.spent_micro) + (f" of {money(view.max_micro)}" if view.max_micro is not None else "")]
    if view.reserved_micro:
        parts.append(f"{money(view.reserved_micro)} reserved")
    if view.uncertain_micro:
        parts.append(f"{money(view.uncertain_micro)} uncertain")
    return ", ".join(parts)


def _step_row(step: StepView) -> tuple[str, ...]:
    elements = f" {step.done}/{step.total}" if step.total else ""
    return (
        f"{'  ' * step.depth}{step.name}",
        f"{step.status}{elements}",
        one_line(step.model, 40),
        f"{step.attempts}x" if step.attempts > 1 else "",
        f"{step.latency_ms} ms" if step.attempts else "",
        money(step.spent_micro) if step.spent_micro else "",
        one_line(step.reason or step.output_preview, 80),
    )


def trace_of(view: PipelineView) -> PipelineTrace:
    """The documented trace of a run."""
    trace = PipelineTrace(
        pipeline_name=view.pipeline,
        pipeline_version=view.version,
        step_traces=[_step_trace(step) for step in view.steps],
        success=view.status is ProjectStatus.SUCCESS,
        error=view.reason,
        started_at=_iso(view.started_s),
    )
    trace.finalize(success=trace.success, completed_at=datetime.fromtimestamp(view.started_s + view.elapsed_s, UTC))
    return trace


def _step_trace(step: StepView) -> StepTrace:
    return StepTrace(
        step_name=step.name,
        model=step.model,
        input_preview=step.prompt_preview,
        output_preview=step.output_preview,
        latency_ms=float(step.latency_ms),
        tokens_used=step.input_tokens + step.output_tokens,
        cost=usd(step.spent_micro + step.uncertain_micro),
        success=step.status in ("COMPLETED", "SKIPPED"),
        error=step.reason if step.status in ("FAILED", "CANCELLED") else "",
        skipped=step.status == "SKIPPED",
        timestamp=_iso(step.started_s) if step.started_s else "",
        attempts=step.attempts,
    )


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()
