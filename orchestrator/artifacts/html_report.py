"""report.html: the whole run on one page that needs nothing else: no script, no font, no request."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from orchestrator.artifacts.drawings import draw_graph, draw_timeline
from orchestrator.artifacts.report import MAX_ROWS, ReportData, clock
from orchestrator.artifacts.summary import model_totals, stage_costs
from orchestrator.artifacts.text import plain
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.advising import described
from orchestrator.domain.base import Frozen
from orchestrator.domain.money import usd

if TYPE_CHECKING:
    from jinja2 import Environment

HTML_REPORT_NAME = "report.html"
_TEXT_CHARS = 8000


class Score(Frozen):
    """What a reviewer or a judge gave one version of a task's result."""

    task: str
    generation: int
    iteration: int
    stage: str
    model: str
    score: float


def render_html(data: ReportData) -> str:
    """The page. Every text that comes from a model or a user is shown literally: nothing of it becomes markup."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            architecture=described(data.view.architecture) if data.view.architecture else (),
            view=data.view,
            graph=draw_graph(data.plan, data.view.tasks),
            timeline=draw_timeline(data.calls[:MAX_ROWS]),
            stages=stage_costs(data.view),
            models=model_totals(data.calls),
            dearest=max([1, *(task.spent_micro for task in data.view.tasks)]),
            scores=_scores(data.calls),
            operations=[event for event in data.events if event.by][:MAX_ROWS],
            calls=data.calls[:MAX_ROWS],
            events=data.events[-MAX_ROWS:],
            findings=data.findings[:MAX_ROWS],
        )
    )


def _scores(calls: Sequence[CallRecord]) -> list[Score]:
    """All scores, by task in order of their first score, then by version."""
    found = [
        Score(
            task=call.task,
            generation=int(call.key.split("/")[3]),
            iteration=call.iteration,
            stage=call.stage,
            model=call.model,
            score=call.score,
        )
        for call in calls
        if call.score is not None
    ]
    order = {task: number for number, task in enumerate(dict.fromkeys(score.task for score in found))}
    return sorted(found, key=lambda score: (order[score.task], score.generation, score.iteration))[:MAX_ROWS]


@cache
def _environment() -> "Environment":
    """Imported here: the template engine takes a moment that other commands should not pay."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orchestrator.artifacts"),
        finalize=_printable,
        auto_reload=False,
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["usd"] = lambda amount: f"{usd(amount):.6f}"
    environment.filters["clock"] = clock
    environment.filters["score"] = lambda value: "" if value is None else f"{value:.2f}"
    return environment


def _printable(value: Any) -> Any:
    """Texts without control and bidirectional characters, and not endless; markup of ours as it is."""
    return plain(value)[:_TEXT_CHARS] if type(value) is str else value
