"""What is shown while a pipeline runs: a live table on a terminal, one line per event elsewhere."""

import sys

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.console import fitting
from cli.pipeline_results import spending
from cli.progress import LiveProgress, PlainProgress
from cli.results import SIMULATED_NOTICE, money
from orchestrator.client.watching import ProgressOf
from orchestrator.contracts.pipeline import PipelineView, StepView
from orchestrator.domain.text import duration, one_line

_STYLES = {"COMPLETED": "green", "SKIPPED": "dim", "FAILED": "red", "CANCELLED": "yellow", "RUNNING": "cyan"}

_RANKS = {"RUNNING": 0, "PENDING": 1}


def pipeline_progress() -> ProgressOf[PipelineView]:
    """The live table where stderr is a terminal, plain lines elsewhere."""
    return LiveProgress(screen) if sys.stderr.isatty() else PlainProgress()


def screen(view: PipelineView, height: int) -> Group:
    """The live view of a run, for a terminal of `height` lines."""
    head = Text()
    head.append(view.status.value, style="bold")
    head.append(f"  {view.run_id}  {spending(view)}  {duration(view.elapsed_s)}")
    head.append(f"  {view.steps_done} of {view.steps_total} steps")
    if view.reason:
        head.append(f"  {one_line(view.reason, 100)}")
    if view.simulated:
        head.append(f"\n{SIMULATED_NOTICE}", style="yellow")
    shown = fitting(view.steps, max(3, height - 6), lambda step: _RANKS.get(step.status, 2))
    hidden = len(view.steps) - len(shown)
    rest = [Text(f"… and {hidden} more steps", style="dim")] if hidden else []
    return Group(head, _table(shown), *rest)


def _table(steps: list[StepView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, least in (("step", 12), ("status", 9), ("#", 1), ("spent", 5), ("model", 8), ("now", 10)):
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=least)
    for step in steps:
        elements = f" {step.done}/{step.total}" if step.total else ""
        table.add_row(
            Text(f"{'  ' * step.depth}{step.name}"),
            Text(f"{step.status}{elements}", style=_STYLES.get(step.status, "dim")),
            Text(str(step.attempts or "")),
            Text(money(step.spent_micro)),
            Text(one_line(step.model, 40)),
            Text(one_line(step.doing or step.reason or step.output_preview, 60)),
        )
    return table
