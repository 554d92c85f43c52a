"""What is shown while a batch runs: a live table on a terminal, one line per event elsewhere."""

import sys

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.batch_results import is_over, most_telling
from cli.progress import LiveProgress, PlainProgress
from cli.results import SIMULATED_NOTICE, money, spending
from orchestrator.client.watching import ProgressOf
from orchestrator.contracts.batch import BatchProjectView, BatchView
from orchestrator.domain.text import duration, one_line

_STYLES = {"SUCCESS": "green", "SYSTEM_FAILURE": "red", "PENDING": "dim"}


def batch_progress() -> ProgressOf[BatchView]:
    """The live table where stderr is a terminal, plain lines elsewhere."""
    return LiveProgress(screen) if sys.stderr.isatty() else PlainProgress()


def screen(view: BatchView, height: int) -> Group:
    """The live view of a batch, for a terminal of `height` lines."""
    head = Text()
    head.append(view.status.value, style="bold")
    head.append(f"  {view.batch_id}  {spending(view)}  {duration(view.elapsed_s)}")
    head.append(f"  {view.projects_done} of {view.projects_total} projects")
    if view.reason:
        head.append(f"  {one_line(view.reason, 100)}")
    if view.simulated:
        head.append(f"\n{SIMULATED_NOTICE}", style="yellow")
    shown = most_telling(view.projects, max(3, height - 6))
    hidden = len(view.projects) - len(shown)
    rest = [Text(f"… and {hidden} more projects", style="dim")] if hidden else []
    return Group(head, _table(shown), *rest)


def _table(projects: list[BatchProjectView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("project", "status", "tasks", "quality", "spent", "what"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for one in projects:
        style = _STYLES.get(one.status, "yellow") if is_over(one) or one.status == "PENDING" else "cyan"
        table.add_row(
            Text(one_line(one.key, 40)),
            Text(one.status, style=style),
            Text(f"{one.tasks_done}/{one.tasks_total}" if one.tasks_total else ""),
            Text("" if one.quality_score is None else f"{one.quality_score:.2f}"),
            Text(money(one.spent_micro)),
            Text(one_line(one.reason or one.title, 60)),
        )
    return table
