"""REPORT.md: what happened in a run, for people."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from orchestrator.artifacts.summary import model_totals, stage_costs
from orchestrator.artifacts.text import Verbatim, markdown_block, markdown_line
from orchestrator.contracts.project import Event, ProjectView, TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.advising import described
from orchestrator.domain.base import Frozen
from orchestrator.domain.findings import Finding
from orchestrator.domain.money import usd
from orchestrator.domain.tasks import TaskSpec

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_NAME = "REPORT.md"
MAX_ROWS = 500  # of each table that grows with the number of calls or events


class ReportData(Frozen):
    """Everything that the report tells. `files` are the paths of the generated software."""

    view: ProjectView
    plan: tuple[TaskSpec, ...]
    calls: tuple[CallRecord, ...]
    events: tuple[Event, ...]
    findings: tuple[Finding, ...]
    request: str
    criteria: str
    original_request: str = ""  # as it was written, where suggestions were added to it
    original_criteria: str = ""
    files: tuple[str, ...]


def render_report(data: ReportData) -> str:
    """REPORT.md. Every text that comes from a model or a user is shown literally."""
    template = _environment().get_template("report.md.j2")
    report = template.render(
        view=data.view,
        rows=_rows(data),
        plan={task.id: task for task in data.plan},
        stages=stage_costs(data.view),
        models=model_totals(data.calls),
        calls=data.calls[:MAX_ROWS],
        calls_left=max(0, len(data.calls) - MAX_ROWS),
        events=data.events[-MAX_ROWS:],
        events_left=max(0, len(data.events) - MAX_ROWS),
        findings=data.findings[:MAX_ROWS],
        findings_left=max(0, len(data.findings) - MAX_ROWS),
        request=data.request,
        criteria=data.criteria,
        original_request=data.original_request,
        original_criteria=data.original_criteria,
        architecture=described(data.view.architecture) if data.view.architecture else (),
        files=data.files,
    )
    return report.rstrip("\n") + "\n"


def _rows(data: ReportData) -> Sequence[tuple[TaskView, TaskSpec | None]]:
    specs = {task.id: task for task in data.plan}
    return [(task, specs.get(task.id)) for task in data.view.tasks]


@cache
def _environment() -> "Environment":
    """Imported here: the template engine takes a moment that other commands should not pay.

    `finalize` sees every value that the template prints, so what is not marked as safe is always neutralised.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orchestrator.artifacts"),
        finalize=_neutral,
        auto_reload=False,
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["usd"] = lambda amount: f"{usd(amount):.6f}"
    environment.filters["block"] = markdown_block
    environment.filters["score"] = lambda value: "" if value is None else f"{value:.2f}"
    environment.filters["clock"] = clock
    return environment


def _neutral(value: Any) -> str:
    return str(value) if isinstance(value, Verbatim) else markdown_line(str(value))


def clock(time_s: float) -> str:
    """Seconds since the epoch as UTC, to the second."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
