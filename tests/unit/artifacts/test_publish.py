"""Publishing: nothing generated is lost, amounts are exact, and hostile text stays text."""

import asyncio
import json
import re
import unicodedata
from pathlib import Path
from typing import Unpack

import pytest
from markdown_it import MarkdownIt

from orchestrator.artifacts.manifest import read_file, read_manifest, write_draft
from orchestrator.artifacts.publish import place, project_name, publish
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.artifacts.text import markdown_block, markdown_line
from orchestrator.contracts.project import Event, ProjectStatus, ProjectView
from orchestrator.contracts.tools import PublishInput, PublishResult
from orchestrator.domain.apps import AppType, Architecture
from orchestrator.domain.findings import Finding
from orchestrator.domain.refs import BlobRef, blob_ref
from tests.unit.artifacts.samples import PROJECT, RunDetails, call, project_view, published, task_view

HOSTILE_TEXTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "](javascript:alert(1))[x",
    "| a | b |",
    "# title",
    "**b** _i_",
    "`code`",
    "~~x~~",
    "![i](http://x/y.png)",
    "http://evil.example/x",
    "www.evil.example",
    "a@evil.example",
    "mailto:a@evil.example",
    "&lt;b&gt;",
    "\\`a`",
    "- item",
    "1. item",
    "+ x",
    "> quote",
    "---",
    "===",
    "<!-- -->",
    "[a]: http://x",
    "{{ 7*7 }}",
    "{% raw %}",
    "$x$",
    "@user",
    "```\nfence\n```",
]
CONTROL_TEXTS = [
    "\x1b[31mred\x1b[0m",
    "a\u202eb",
    "a\u200bb",
    "a\x00b",
    "a\x9b31mb",
    "a\u2028b",
    "\ufeffa",
    "a\rb",
]


def advised(text: str) -> Architecture:
    """An architecture whose texts a model wrote."""
    return Architecture(app_type=AppType.STATIC_SITE, stack=(text,), entry_point=text, rationale=text)


def read(files: dict[str, bytes], **options: Unpack[RunDetails]) -> tuple[dict[str, bytes], ProjectView]:
    """Files of the published manifest, and the published view."""

    async def scenario() -> tuple[dict[str, bytes], ProjectView]:
        store = ArtifactStore.open("memory://")
        result = await published(store, files, **options)
        assert result.manifest
        manifest = await read_manifest(store, result.manifest)
        named = await store.read_named(project_name("default", PROJECT, "manifest.json"))
        view = await store.read_named(project_name("default", PROJECT, "view.json"))
        assert named == await store.get(result.manifest)
        assert result.files == len(manifest.files)
        contents = {file.path: await read_file(store, file) for file in manifest.files}
        final = ProjectView.model_validate_json(view or b"")
        assert final.manifest == result.manifest
        return contents, final

    return asyncio.run(scenario())


def test_software_summary_and_report_are_published() -> None:
    files, _ = read({"src/a.py": b"a"}, calls=(call(), call(stage="plan", task="project", cost_micro=67)))
    assert set(files) == {"src/a.py", "summary.json", "REPORT.md", "report.html"}
    summary = json.loads(files["summary.json"])
    assert summary["project_id"] == PROJECT
    assert summary["status"] == "SUCCESS"
    assert summary["simulated"] is False
    assert (summary["spent_usd"], summary["uncertain_usd"], summary["max_usd"]) == (0.001301, 0.0, 2.0)
    assert summary["stages_usd"] == {"generate": 0.001234, "plan": 0.000067}
    assert summary["tasks"][0]["spent_usd"] == 0.001234
    assert summary["models"] == [
        {
            "id": "v:m",
            "calls": 2,
            "spent_usd": 0.001301,
            "uncertain_usd": 0.0,
            "input_tokens": 200,
            "output_tokens": 100,
        }
    ]
    assert summary["calls"] == 2
    assert summary["elapsed_s"] == 12.346
    assert {file["path"] for file in summary["files"]} == {"src/a.py", "REPORT.md", "report.html"}


def test_publishing_again_gives_the_same_manifest() -> None:
    async def scenario() -> None:
        store = ArtifactStore.open("memory://")
        assert await published(store, {"a": b"1"}) == await published(store, {"a": b"1"})

    asyncio.run(scenario())


def test_generated_files_with_our_names_are_moved_not_lost() -> None:
    generated = {"summary.json": b"theirs", "report.MD": b"theirs too", "generated/summary.json": b"another"}
    files, view = read(generated)
    assert files["generated/summary.json"] == b"another"
    assert files["generated-2/summary.json"] == b"theirs"
    assert files["generated/report.MD"] == b"theirs too"
    assert json.loads(files["summary.json"])["notes"] == list(view.notes)
    assert len(view.notes) == 2


def test_files_that_cannot_exist_side_by_side_are_moved_not_lost() -> None:
    long = "x" * 110 + "/" + "y" * 110
    files = {"a": b"1", "A": b"2", "a/b": b"3", "summary.json/x": b"4", long: b"5", long.upper(): b"6"}
    placed, notes = place(files)
    assert sorted(placed.values()) == sorted(files.values())
    assert len(notes) == 4
    assert len({path.casefold() for path in placed}) == len(files)
    read(placed)


def test_a_run_without_any_result_still_has_a_report() -> None:
    view = project_view(
        status=ProjectStatus.SYSTEM_FAILURE, reason="all vendors are down", tasks=(), quality_score=None
    )
    files, _ = read({}, view=view)
    report = files["REPORT.md"].decode()
    assert "SYSTEM" in report
    assert "all vendors are down" in report
    assert "No software was written" in report


def test_the_report_tells_what_happened() -> None:
    tasks = (
        task_view(attempts=("first try scored 0.4",)),
        task_view(id="t2", title="Test it", status="FAILED", reason="rejected by pytest", score=None),
    )
    view = project_view(
        architecture=advised("why it is so"),
        tasks=tasks,
        simulated=True,
        notes=("fell back from x to y",),
        status=ProjectStatus.PARTIAL_SUCCESS,
    )
    files, _ = read(
        {"a.py": b""},
        view=view,
        request="Build `it`",
        original="Build",
        calls=(call(outcome="failure: rate_limit", model="x:y"),),
        findings=(Finding(validator="pytest", path="a.py", line=3, rule="assert", message="1 != 2"),),
        events=(Event(seq=1, time_s=0.0, kind="breaker_opened", text="x"),),
    )
    shown = MarkdownIt().enable("table").render(files["REPORT.md"].decode())
    text = re.sub(r"<[^>]+>", " ", shown)
    for fact in (
        "Simulated models",
        "Build `it`",
        "As it was written",
        "why it is so",
        "static_site",
        "tests pass",
        "PARTIAL_SUCCESS",
        "first try scored 0.4",
        "rejected by pytest",
        "fell back from x to y",
        "rate_limit",
        "x:y",
        "a.py line 3",
        "1 != 2",
        "breaker_opened",
        "1970-01-01 00:00:00",
        "0.93",
        "0.001301",
        "2.000000",
    ):
        assert fact in text, fact


def test_real_models_are_not_called_simulated() -> None:
    files, _ = read({"a.py": b""})
    assert b"imulated" not in files["REPORT.md"]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_is_shown_literally(text: str) -> None:
    line = f"- {markdown_line(text)}\n"
    markdown = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(line)
    body = markdown.removeprefix("<ul>\n<li>").removesuffix("</li>\n</ul>\n")
    assert "<" not in body
    unescaped = body.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert unescaped == " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE_TEXTS + CONTROL_TEXTS)
def test_the_report_keeps_its_shape_whatever_models_write(text: str) -> None:
    """The same elements, tables and rows as a report without hostile text; only the texts differ."""

    def shape(value: str) -> list[str]:
        tasks = (task_view(title=value, reason=value, model=value, reviewer=value, status="FAILED", attempts=(value,)),)
        files, _ = read(
            {"a.py": b""},
            view=project_view(tasks=tasks, notes=(value,), reason=value, architecture=advised(value)),
            request=value,
            original=f"{value} first",
            calls=(call(outcome=value, model=value),),
            findings=(Finding(validator="v", path=value, rule=value, message=value),),
            events=(Event(seq=1, time_s=1.0, kind=value, task=value, text=value),),
        )
        report = files["REPORT.md"].decode()
        assert not [ch for ch in report if ch != "\n" and unicodedata.category(ch)[0] in "CZ" and ch != " "]
        tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(report)
        inline = [child.type for token in tokens for child in token.children or () if child.type != "text_special"]
        return [token.type for token in tokens] + [kind for kind in inline if kind != "text"]

    assert shape(text) == shape("harmless")


def test_addresses_do_not_become_links() -> None:
    assert markdown_line("see http://x.example") == r"see http\://x.example"
    assert markdown_line("WWW.x.example, a@b.example") == r"WWW\.x.example, a\@b.example"
    assert markdown_line("mailto:x") == r"mailto\:x"
    assert markdown_line("vendor:model at 10:30") == "vendor:model at 10:30"


def test_a_fence_cannot_be_closed_from_inside() -> None:
    tokens = MarkdownIt().parse(markdown_block("````\n# out\n```\n<b>"))
    assert [token.type for token in tokens] == ["fence"]


def test_long_texts_are_cut_and_say_so() -> None:
    assert "cut after 10 of 50 characters" in markdown_block("x" * 50, 10)
    assert len(markdown_line("x" * 500, 50)) == 50


def test_parts_of_the_logs_that_are_lost_are_left_out_and_named() -> None:
    async def scenario() -> tuple[PublishResult, ProjectView]:
        store = ArtifactStore.open("memory://")
        gone = BlobRef(sha256="0" * 64, size=1)
        event = Event(seq=1, time_s=0.0, kind="started")
        given = PublishInput(
            namespace="default",
            project=PROJECT,
            view_json=project_view().model_dump_json(),
            project_text=gone,
            criteria=None,
            plan=(),
            drafts={"t1": await write_draft(store, {"a.py": b"a"})},
            calls=(await store.put(b"{}"), gone),
            events=(await store.put(f"[{event.model_dump_json()}]".encode()), gone),
            findings=gone,
        )
        result = await publish(store, given)
        assert result.events
        assert await store.get(result.events) == f"{event.model_dump_json()}\n".encode()
        view = await store.read_named(project_name("default", PROJECT, "view.json"))
        return result, ProjectView.model_validate_json(view or b"")

    result, view = asyncio.run(scenario())
    assert (result.files, result.lost) == (4, {})
    assert view.status is ProjectStatus.SUCCESS
    named = (
        "a part of the log of calls",
        "a part of the event log",
        "a part of the list of findings",
        "the project text",
    )
    assert view.notes == tuple(f"the artifact store has lost {name}: the report lacks it" for name in named)


@pytest.mark.parametrize("how", ["missing", "altered"])
def test_files_that_are_lost_are_named_and_nothing_is_published_until_the_status_is_known(
    how: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        drafts = {
            "t1": await write_draft(store, {"a.py": b"a", "b.py": b"b"}),
            "t2": await write_draft(store, {"c.py": b"c"}),
            "t3": await write_draft(store, {"d.py": b"d", "e.py": b"e"}),
        }
        for ref in (blob_ref(b"b"), drafts["t3"].manifest):
            path = tmp_path / "blobs" / ref.sha256[:2] / ref.sha256
            path.unlink() if how == "missing" else path.write_bytes(b"")
        given = PublishInput(
            namespace="default",
            project=PROJECT,
            view_json=project_view().model_dump_json(),
            project_text=None,
            criteria=None,
            plan=(),
            drafts=drafts,
            calls=(),
            events=(),
            findings=None,
        )
        result = await publish(store, given)
        assert result == PublishResult(lost={"t1": ("b.py",), "t3": ("d.py", "e.py")})
        assert await store.list_named("projects") == []

        rest = drafts["t1"].model_copy(update={"paths": ("a.py",)})
        left = given.model_copy(update={"drafts": {"t1": rest, "t2": drafts["t2"]}})
        result = await publish(store, left)
        assert result.manifest
        manifest = await read_manifest(store, result.manifest)
        ours = {"summary.json", "REPORT.md", "report.html"}
        assert {file.path for file in manifest.files} - ours == {"a.py", "c.py"}

    asyncio.run(scenario())
