"""report.html: says everything, needs nothing, and shows hostile text as text."""

from html.parser import HTMLParser

import pytest

from orchestrator.artifacts.drawings import draw_graph, draw_timeline
from orchestrator.artifacts.html_report import render_html
from orchestrator.artifacts.report import ReportData
from orchestrator.contracts.project import Event
from orchestrator.domain.apps import AppType, Architecture
from orchestrator.domain.criteria import CriterionResult
from orchestrator.domain.findings import Finding
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import TaskSpec, TaskType
from tests.unit.artifacts.samples import call, project_view, task_view

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "</pre></title></svg><h1>owned</h1>",
    "javascript:alert(1) {{ 7 * 7 }} {% raw %}",
    "\x1b[2J\x1b]0;title\x07\u202eevil\u2066",
)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def _task(task_id: str, *after: str, title: str = "Write it") -> TaskSpec:
    return TaskSpec(
        id=task_id,
        title=title,
        type=TaskType.CODE_GENERATION,
        dependencies=after,
        files=(f"{task_id}.py",),
        prompt=BlobRef(sha256="0" * 64, size=1),
    )


def _data(text: str = "a text") -> ReportData:
    score = {"key": "default/p1/t1/0/evaluate/1/judge-1/1", "stage": "evaluate", "score": 0.87}
    return ReportData(
        view=project_view(
            architecture=Architecture(app_type=AppType.CLI, topology=text, rationale=text),
            reason=text,
            criteria=(CriterionResult(text=text, check="judged", met=False, evidence=text),),
            notes=(text,),
            tasks=(task_view(title=text, reason=text), task_view(id="t2")),
        ),
        plan=(_task("t1", title=text), _task("t2", "t1")),
        calls=(call(ended_s=100.0, latency_ms=2000), call(**score, ended_s=103.0, passed_over=(text,))),
        events=(Event(seq=1, time_s=99.0, kind="budget_set", text=text, by="ann"),),
        findings=(Finding(validator="ruff", path="a.py", line=3, rule="F401", message=text),),
        request=text,
        criteria=text,
        original_request=text,
        original_criteria=text,
        files=("src/a.py",),
    )


def test_it_tells_what_happened() -> None:
    words = Page(render_html(_data())).words
    for wanted in ("p1", "SUCCESS", "0.001301", "t2", "F401", "a.py:3", "0.87", "ann", "src/a.py", "v:m", "w:n"):
        assert wanted in words, wanted


def test_it_needs_nothing_else() -> None:
    page = Page(render_html(_data()))
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "action") or name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    harmless, attacked = Page(render_html(_data())), Page(render_html(_data(text)))
    assert attacked.tags == harmless.tags
    assert [name for name, _ in attacked.attributes] == [name for name, _ in harmless.attributes]
    assert not set("\x1b\x07\u202e\u2066") & set(attacked.words)


def test_each_task_stands_right_of_what_it_depends_on() -> None:
    drawing = draw_graph((_task("c", "a", "b"), _task("a"), _task("b", "a")), ())
    left = {node.id: node.x for node in drawing.nodes}
    assert left["a"] < left["b"] < left["c"]
    assert len(drawing.edges) == 3
    assert all(edge.x1 < edge.x2 for edge in drawing.edges)


def test_calls_lie_where_they_ran() -> None:
    lanes = draw_timeline(
        (call(task="t2", ended_s=20.0, latency_ms=5000), call(task="t1", ended_s=11.0, latency_ms=1000))
    ).lanes
    assert [lane.task for lane in lanes] == ["t1", "t2"]
    first, second = lanes[0].bars[0], lanes[1].bars[0]
    assert (first.x, first.width) == (0.0, 90.0)
    assert (second.x, second.width) == (450.0, 450.0)
    assert draw_timeline((call(),)).lanes == ()
