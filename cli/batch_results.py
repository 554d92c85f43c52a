"""A batch as its user sees it: the JSON object, the table, the report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cli.console import columns, fitting
from cli.results import SIMULATED_NOTICE, money, spending
from orchestrator.contracts.batch import BatchProjectView, BatchView
from orchestrator.domain.money import usd
from orchestrator.domain.text import duration, one_line

_MAX_LINES = 60


def result_object(view: BatchView) -> dict[str, Any]:
    """The object of `batch run --json`, `status --json`, `watch --json` and `report --json`; its keys are stable."""
    return {
        "batch_id": view.batch_id,
        "workflow_id": view.workflow_id,
        "name": view.name,
        "schedule": view.schedule,
        "status": view.status.value,
        "spent_usd": usd(view.spent_micro),
        "uncertain_usd": usd(view.uncertain_micro),
        "reserved_usd": usd(view.reserved_micro),
        "max_usd": usd(view.max_micro),
        "quality_score": view.quality_score,
        "concurrency": view.concurrency,
        "started_s": view.started_s,
        "elapsed_s": round(view.elapsed_s, 3),
        "simulated": view.simulated,
        "reason": view.reason,
        "notes": list(view.notes),
        "manifest": view.manifest.sha256 if view.manifest else None,
        "projects_done": view.projects_done,
        "projects_total": view.projects_total,
        "projects": [_project_object(one) for one in view.projects],
    }


def _project_object(one: BatchProjectView) -> dict[str, Any]:
    return {
        "key": one.key,
        "project_id": one.project_id,
        "title": one.title,
        "file": one.file,
        "status": one.status,
        "reason": one.reason,
        "spent_usd": usd(one.spent_micro),
        "uncertain_usd": usd(one.uncertain_micro),
        "max_usd": usd(one.max_micro),
        "quality_score": one.quality_score,
        "calls": one.calls,
        "tasks_done": one.tasks_done,
        "tasks_total": one.tasks_total,
        "elapsed_s": round(one.elapsed_s, 3),
        "simulated": one.simulated,
    }


def summary(view: BatchView) -> list[str]:
    """The batch as it is, for a reader: head, and as many projects as fit, those under way first."""
    rows = most_telling(view.projects, _MAX_LINES)
    more = len(view.projects) - len(rows)
    rest = [f"  … and {more} more projects: 'orch-cli batch report {view.batch_id}'"] if more else []
    return [*_head(view), "", *_table(rows), *rest]


def report_lines(view: BatchView) -> list[str]:
    """The same with every project, and how to get at the software."""
    done = next((one.project_id for one in view.projects if one.manifest is not None), None)
    fetch = ["", f"Fetch the software of a project with 'orch-cli export PROJECT', such as {done}."] if done else []
    return [*_head(view), "", *_table(list(view.projects)), *fetch]


def markdown_report(view: BatchView) -> str:
    """The report as Markdown."""
    head = ("project", "status", "spend", "quality", "tasks", "time", "why")
    rows = [head, tuple("---" for _ in head), *(_cells(one) for one in view.projects)]
    facts = [f"- {name}: {_plain(value)}" for name, value in _facts(view)]
    lines = [f"# {_plain(view.name)}: {view.status.value}", "", *facts, ""]
    return "\n".join([*lines, *("| " + " | ".join(_plain(cell) for cell in row) + " |" for row in rows)])


def most_telling(projects: Sequence[BatchProjectView], room: int) -> list[BatchProjectView]:
    """As many projects as fit, in the batch's order: rather those under way than waiting than done."""
    return fitting(projects, room, lambda one: 2 if is_over(one) else 1 if one.status == "PENDING" else 0)


def is_over(one: BatchProjectView) -> bool:
    """Whether the project has ended."""
    return one.status != "PENDING" and one.started_s is None


def _head(view: BatchView) -> list[str]:
    return ["", f"{view.status.value}  {view.batch_id}  {one_line(view.name, 60)}", *columns(_facts(view))]


def _facts(view: BatchView) -> list[tuple[str, ...]]:
    facts: list[tuple[str, ...]] = [("simulated", SIMULATED_NOTICE)] if view.simulated else []
    if view.schedule:
        facts.append(("schedule", one_line(view.schedule, 80)))
    if view.reason:
        facts.append(("why", one_line(view.reason, 400)))
    facts += [("note", one_line(note, 400)) for note in view.notes]
    counts = Counter(one.status for one in view.projects)
    told = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    facts.append(("projects", f"{view.projects_done} of {view.projects_total} ended" + (f": {told}" if told else "")))
    facts.append(("spent", spending(view)))
    if view.quality_score is not None:
        facts.append(("quality", f"{view.quality_score:.2f} on average"))
    facts.append(("time", duration(view.elapsed_s)))
    return facts


def _table(rows: list[BatchProjectView]) -> list[str]:
    head = ("project", "status", "spend", "quality", "tasks", "time", "what")
    return columns([head, *(_cells(one) for one in rows)]) if rows else []


def _cells(one: BatchProjectView) -> tuple[str, ...]:
    uncertain = f" + {money(one.uncertain_micro)} uncertain" if one.uncertain_micro else ""
    return (
        one_line(one.project_id, 120),
        one.status,
        f"{money(one.spent_micro)}{uncertain} of {money(one.max_micro)}",
        "-" if one.quality_score is None else f"{one.quality_score:.2f}",
        f"{one.tasks_done}/{one.tasks_total}" if one.tasks_total else "-",
        duration(one.elapsed_s) if one.elapsed_s else "-",
        one_line(one.reason or one.title, 100),
    )


def _plain(text: str) -> str:
    """Text of users and models inside Markdown: no table cells, no markup of its own."""
    return "".join(" " if char in "|<>`\r\n" else char for char in text)
