"""A schedule as its user sees it: when it fires, what it runs, what came of its last runs."""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cli.console import columns, show, show_json
from cli.results import money
from orchestrator.client.facade import OrchClient
from orchestrator.client.schedule_forms import ScheduledRun, ScheduleRow, ScheduleView
from orchestrator.contracts.batch import BatchView
from orchestrator.domain.delivery import shown_host
from orchestrator.domain.errors import OrchError
from orchestrator.domain.money import usd
from orchestrator.domain.text import duration, one_line

_NEXT = 5
_NOTES = 5
_DIGEST_CHARS = 12


async def present_schedule(client: OrchClient, view: ScheduleView, *, json_output: bool) -> None:
    """One schedule on stdout, with the results of its last runs."""
    batches = await asyncio.gather(*(_result(client, run) for run in view.recent))
    spent_micro = await client.schedules.month_spent(view)
    if json_output:
        show_json(_object(view, batches, spent_micro))
        return
    for line in _block(view, batches, spent_micro):
        show(line)


def row_object(row: ScheduleRow) -> dict[str, Any]:
    """One schedule of `schedule list --json`."""
    return {
        "name": row.name,
        "when": list(row.when),
        "timezone": row.timezone,
        "paused": row.paused,
        "next": [_iso(one, row.timezone) for one in row.next_s],
        "last": _iso(row.recent[0].scheduled_s, row.timezone) if row.recent else None,
    }


def list_rows(rows: list[ScheduleRow]) -> list[tuple[str, ...]]:
    """The table of `schedule list`."""
    return [
        ("schedule", "when", "time zone", "next", "last"),
        *(
            (
                one_line(row.name, 60),
                one_line("; ".join(row.when), 60),
                row.timezone,
                "paused" if row.paused else _time(row.next_s[0], row.timezone) if row.next_s else "-",
                _time(row.recent[0].scheduled_s, row.timezone) if row.recent else "-",
            )
            for row in rows
        ),
    ]


async def _result(client: OrchClient, run: ScheduledRun) -> BatchView | None:
    """What came of a run; None where nobody can tell just now."""
    try:
        return await client.batches.view(run.batch_id)
    except OrchError:
        return None


def _object(view: ScheduleView, batches: list[BatchView | None], spent_micro: int) -> dict[str, Any]:
    batch, terms, delivery = view.batch, view.batch.schedule, view.batch.delivery
    month_micro = terms.month_micro if terms else None
    return {
        **row_object(view),
        "jitter_s": view.jitter_s,
        "overlap": view.overlap,
        "catchup_s": view.catchup_s,
        "note": view.note,
        "file": terms.file if terms else "",
        "batch": batch.name,
        "sha256": batch.manifest.sha256,
        "budget_per_run_usd": usd(batch.max_micro),
        "budget_per_month_usd": None if month_micro is None else usd(month_micro),
        "month_spent_usd": None if month_micro is None else usd(spent_micro),
        "output_dir": delivery.output_dir if delivery else "",
        "webhook": bool(delivery and delivery.webhook),
        "command": list(delivery.command) if delivery else [],
        "running": list(view.running),
        "waiting": view.waiting,
        "fired": view.fired,
        "skipped": view.skipped,
        "missed": view.missed,
        "runs": [_run_object(view, *one) for one in zip(view.recent, batches, strict=True)],
    }


def _run_object(view: ScheduleView, run: ScheduledRun, batch: BatchView | None) -> dict[str, Any]:
    return {
        "batch_id": run.batch_id,
        "scheduled": _iso(run.scheduled_s, view.timezone),
        "started": _iso(run.started_s, view.timezone),
        "status": batch.status.value if batch else None,
        "reason": batch.reason if batch else "",
        "spent_usd": usd(batch.spent_micro) if batch else None,
        "quality_score": batch.quality_score if batch else None,
        "elapsed_s": round(batch.elapsed_s, 3) if batch else None,
        "notes": list(batch.notes) if batch else [],
        "sha256": batch.manifest.sha256 if batch and batch.manifest else None,
        "projects": [
            {
                "project_id": one.project_id,
                "status": one.status,
                "spent_usd": usd(one.spent_micro),
                "quality_score": one.quality_score,
                "output_dir": one.output_dir,
            }
            for one in (batch.projects if batch else ())
        ],
    }


def _block(view: ScheduleView, batches: list[BatchView | None], spent_micro: int) -> list[str]:
    lines = [f"{view.name}  {'PAUSED' if view.paused else 'active'}", *columns(_facts(view, spent_micro))]
    if view.next_s and not view.paused:
        lines += ["", "next", *(f"  {_time(one, view.timezone)}" for one in view.next_s[:_NEXT])]
    if view.recent:
        lines += ["", "last", *columns([_run_row(view, *one) for one in zip(view.recent, batches, strict=True)])]
    told: list[tuple[str, ...]] = [
        (run.batch_id, one_line(note, 200))
        for run, batch in zip(view.recent, batches, strict=True)
        for note in (batch.notes if batch else ())
    ]
    if told:
        lines += ["", "notes", *columns(told[:_NOTES])]
    return lines


def _facts(view: ScheduleView, spent_micro: int) -> list[tuple[str, ...]]:
    batch, terms, delivery = view.batch, view.batch.schedule, view.batch.delivery
    jitter = f", up to {duration(view.jitter_s)} later" if view.jitter_s else ""
    facts: list[tuple[str, ...]] = [("when", f"{'; '.join(view.when)} ({view.timezone}){jitter}")]
    facts += [("note", one_line(view.note, 200))] if view.note else []
    facts.append(("runs", f"{one_line(batch.name, 80)}, sha256 {batch.manifest.sha256[:_DIGEST_CHARS]}"))
    facts += [("file", one_line(terms.file, 200))] if terms and terms.file else []
    facts.append(("budget", f"{money(batch.max_micro)} a run"))
    if terms and terms.month_micro is not None:
        facts.append(("month", f"{money(spent_micro)} of {money(terms.month_micro)} spent or set aside"))
    if delivery and delivery.output_dir:
        facts.append(("output", delivery.output_dir))
    if delivery and delivery.webhook:
        facts.append(("webhook", shown_host(delivery.webhook)))
    if delivery and delivery.command:
        facts.append(("command", one_line(" ".join(delivery.command), 120)))
    facts.append(("overlap", f"{view.overlap}; missed runs are made up for within {duration(view.catchup_s)}"))
    waiting = f", {view.waiting} waiting" if view.waiting else ""
    facts.append(("so far", f"{view.fired} fired, {view.skipped} skipped, {view.missed} missed{waiting}"))
    return facts


def _run_row(view: ScheduleView, run: ScheduledRun, batch: BatchView | None) -> tuple[str, ...]:
    scheduled = _time(run.scheduled_s, view.timezone)
    if batch is None:
        return scheduled, "?", "", "", "", run.batch_id
    score = "-" if batch.quality_score is None else f"{batch.quality_score:.2f}"
    done = f"{batch.projects_done}/{batch.projects_total}"
    return scheduled, batch.status.value, done, money(batch.spent_micro), score, run.batch_id


def _time(moment_s: float, timezone: str) -> str:
    return datetime.fromtimestamp(moment_s, ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def _iso(moment_s: float, timezone: str) -> str:
    return datetime.fromtimestamp(moment_s, ZoneInfo(timezone)).isoformat(timespec="seconds")
