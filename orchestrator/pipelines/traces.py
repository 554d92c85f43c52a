"""Traces of runs: what each step did, as JSON and as Markdown."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain.text import one_line

PREVIEW_CHARS = 100
_MARKUP = str.maketrans({"|": "\\|", "`": "'", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class StepTrace:
    """One step. `input_preview` is the beginning of its rendered prompt; `cost` is USD, `timestamp` ISO 8601 in UTC.

    A step without success and without an error was cancelled, since the run ended before it did.
    """

    step_name: str
    model: str = ""
    input_preview: str = ""
    output_preview: str = ""
    latency_ms: float = 0.0
    tokens_used: int = 0
    cost: float = 0.0
    success: bool = True
    error: str = ""
    skipped: bool = False
    timestamp: str = ""
    attempts: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields, rounded: latency to 2 digits, cost to the micro-dollar."""
        return {**asdict(self), "latency_ms": round(self.latency_ms, 2), "cost": round(self.cost, 6)}


@dataclass
class PipelineTrace:
    """One run. `total_latency_ms` is the time that it took, not the sum of steps that ran side by side."""

    pipeline_name: str
    pipeline_version: str = "1.0"
    step_traces: list[StepTrace] = field(default_factory=list)
    total_latency_ms: float = 0.0
    success: bool = True
    error: str = ""
    started_at: str = ""
    completed_at: str = ""

    @property
    def total_tokens(self) -> int:
        return sum(step.tokens_used for step in self.step_traces)

    @property
    def total_cost(self) -> float:
        """USD."""
        return round(sum(step.cost for step in self.step_traces), 6)

    def add_step_trace(self, step: StepTrace) -> None:
        """Add a step at the end."""
        self.step_traces.append(step)

    def finalize(self, *, success: bool, completed_at: datetime | None = None) -> None:
        """The run has ended."""
        ended = completed_at or datetime.now(UTC)
        self.success = success
        self.completed_at = ended.isoformat()
        if self.started_at:
            began = datetime.fromisoformat(self.started_at)
            self.total_latency_ms = (ended - began).total_seconds() * 1000

    def to_dict(self) -> dict[str, Any]:
        """The trace under its documented names."""
        return {
            "pipeline_name": self.pipeline_name,
            "pipeline_version": self.pipeline_version,
            "step_traces": [step.to_dict() for step in self.step_traces],
            "total_latency_ms": round(self.total_latency_ms, 2),
            "total_tokens": self.total_tokens,
            "total_cost": self.total_cost,
            "success": self.success,
            "error": self.error,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
        }

    def to_json(self) -> str:
        """The trace as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """The trace for a reader."""
        lines = [
            f"# Pipeline Trace: {_cell(self.pipeline_name)}",
            "",
            f"**Version:** {_cell(self.pipeline_version)}  ",
            f"**Status:** {'Success' if self.success else 'Failed'}  ",
            f"**Total Latency:** {self.total_latency_ms:.2f}ms  ",
            f"**Total Tokens:** {self.total_tokens}  ",
            f"**Total Cost:** ${self.total_cost:.6f}  ",
            f"**Started:** {self.started_at}  ",
            f"**Completed:** {self.completed_at}",
            "",
            "## Steps",
            "",
            "| Step | Model | Attempts | Latency (ms) | Tokens | Cost | Status | Prompt | Output |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_row(step) for step in self.step_traces),
        ]
        for step in self.step_traces:
            if step.error:
                lines += ["", f"### Error in `{_cell(step.step_name)}`", "", "```text", _fenced(step.error), "```"]
        return "\n".join([*lines, ""])


def preview(text: str) -> str:
    """The beginning of a text as one line."""
    return one_line(text, PREVIEW_CHARS)


def _row(step: StepTrace) -> str:
    status = "Skipped" if step.skipped else "Pass" if step.success else "Fail" if step.error else "Cancelled"
    cells = (
        _cell(step.step_name),
        _cell(step.model) or "N/A",
        str(step.attempts),
        f"{step.latency_ms:.2f}",
        str(step.tokens_used),
        f"${step.cost:.6f}",
        status,
        _cell(step.input_preview),
        _cell(step.output_preview),
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return one_line(text, 2 * PREVIEW_CHARS).replace("\\", "\\\\").translate(_MARKUP)


def _fenced(text: str) -> str:
    return one_line(text, 500).replace("```", "'''")
