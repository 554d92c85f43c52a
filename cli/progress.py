"""What is shown while a run is under way: a live table on a terminal, one line per event elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.console import fitting, say
from cli.results import SIMULATED_NOTICE, money, spending
from orchestrator.client.watching import Progress as Progress
from orchestrator.contracts.project import Event, ProjectView, TaskView
from orchestrator.domain.text import duration, one_line

View = TypeVar("View")
_DONE_STYLES = {"COMPLETED": "green", "DEGRADED": "yellow", "FAILED": "red", "RUNNING": "cyan"}
_RANKS = {"RUNNING": 0, "PENDING": 1}  # what is under way is shown rather than what waits, and that than what is done
_LOUD_EVENTS = ("breaker", "paused", "resumed", "fallback", "uncertain", "task_retried")


def progress_for_terminal() -> Progress:
    """The live table where stderr is a terminal, plain lines elsewhere."""
    return LiveProgress(screen) if sys.stderr.isatty() else PlainProgress()


class PlainProgress:
    """One line per event, fit for a log."""

    def event(self, event: Event) -> None:
        """Time, task, what happened."""
        clock = time.strftime("%H:%M:%S", time.localtime(event.time_s))
        subject = f"{one_line(event.task, 20)} " if event.task else ""
        say(f"{clock} {subject}{_text_of(event)}")

    def view(self, view: object) -> None:
        """Lines tell events alone."""

    def note(self, text: str) -> None:
        """A line among the others."""
        say(text)

    def close(self) -> None:
        """Nothing is held open."""


class LiveProgress(Generic[View]):
    """A table that is redrawn in place; events that the user must see scroll past above it.

    `screen` draws a view for a terminal of so many lines.
    """

    def __init__(self, screen: Callable[[View, int], Group]) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._console = Console(stderr=True, highlight=False)

    def event(self, event: Event) -> None:
        """Only what the table does not show."""
        if event.kind.startswith(_LOUD_EVENTS):
            self.note(f"{event.task} {_text_of(event)}".strip())

    def view(self, view: View) -> None:
        """Draw the table anew."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(self._screen(view, self._console.size.height), refresh=True)

    def note(self, text: str) -> None:
        """A line above the table."""
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Leave the last table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _text_of(event: Event) -> str:
    return one_line(event.text, 140) or event.kind.replace("_", " ")


def screen(view: ProjectView, height: int) -> Group:
    """The live view of a run, for a terminal of `height` lines."""
    head = Text()
    head.append(view.status.value, style="bold")
    head.append(f"  {view.project_id}  {spending(view)}  {duration(view.elapsed_s)}")
    head.append(f"  {view.tasks_done} of {view.tasks_total} tasks" if view.tasks_total else "")
    if view.reason:
        head.append(f"  {one_line(view.reason, 100)}")
    if view.simulated:
        head.append(f"\n{SIMULATED_NOTICE}", style="yellow")
    shown = fitting(view.tasks, max(3, height - 6), lambda task: _RANKS.get(task.status, 2))
    hidden = len(view.tasks) - len(shown)
    rest = [Text(f"… and {hidden} more tasks", style="dim")] if hidden else []
    return Group(head, *([_table(shown)] if shown else []), *rest)


def _table(tasks: list[TaskView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("task", "status", "now", "model", "reviewer", "#", "score", "spent", "title"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for task in tasks:
        table.add_row(
            Text(one_line(task.id, 20)),
            Text(task.status, style=_DONE_STYLES.get(task.status, "dim")),
            Text(one_line(task.stage, 44)),
            Text(one_line(task.model, 40)),
            Text(one_line(task.reviewer, 40)),
            Text(str(task.iterations or "")),
            Text("" if task.score is None else f"{task.score:.2f}"),
            Text(money(task.spent_micro)),
            Text(one_line(task.title, 60)),
        )
    return table
