"""What `delete` and `gc` do: tell what will go, ask, remove it, tell what went."""

import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import typer

from cli.console import columns, say, show, show_json
from cli.session import run_async, settings_for
from orchestrator.client.facade import OrchClient
from orchestrator.client.retention import Removed
from orchestrator.client.traces import EndedRun
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line

_AGE = re.compile(r"(\d{1,5})([dhm])")
_UNIT_S = {"d": 86_400, "h": 3600, "m": 60}
_SHOWN = 20


def delete_run(run_id: str, *, yes: bool, dry_run: bool, json_output: bool, profile: str | None) -> int:
    """Removes one run."""
    settings = settings_for(profile)

    async def command() -> int:
        retention = (await OrchClient.connect(settings, say)).retention
        runs = await retention.find(run_id)
        _agree(runs, yes=yes or dry_run)
        _tell(await retention.remove(runs, dry_run=dry_run), dry_run=dry_run, json_output=json_output)
        return 0

    return run_async(command())


def collect_garbage(older_than: str, *, yes: bool, dry_run: bool, json_output: bool, profile: str | None) -> int:
    """Removes all ended runs of an age, and what nothing uses."""
    before_s = time.time() - _age_s(older_than)
    settings = settings_for(profile)

    async def command() -> int:
        retention = (await OrchClient.connect(settings, say)).retention
        runs = await retention.ended_before(before_s)
        _agree(runs, yes=yes or dry_run)
        _tell(await retention.collect(runs, dry_run=dry_run), dry_run=dry_run, json_output=json_output)
        return 0

    return run_async(command())


def _age_s(text: str) -> int:
    found = _AGE.fullmatch(text.strip())
    if not found:
        raise UserInputError(f"--older-than {text[:40]!r}: write an age such as 30d, 12h or 90m")
    return int(found[1]) * _UNIT_S[found[2]]


def _agree(runs: Sequence[EndedRun], *, yes: bool) -> None:
    """Raises UserInputError where nobody agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserInputError("this removes for good: say --yes, or --dry-run to see what would go")
    for line in _lines(runs):
        say(line)
    if not typer.confirm(f"Remove {len(runs)} run(s) for good?", err=True):
        raise UserInputError("nothing was removed")


def _lines(runs: Sequence[EndedRun]) -> list[str]:
    day = [time.strftime("%Y-%m-%d %H:%M", time.localtime(run.ended_s)) for run in runs]
    rows: list[tuple[str, ...]] = [
        (run.kind, one_line(run.id), f"ended {when}") for run, when in zip(runs, day, strict=True)
    ]
    more = [f"  … and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return columns(rows[:_SHOWN]) + more


def _tell(removed: Removed, *, dry_run: bool, json_output: bool) -> None:
    for note in removed.notes:
        say(f"note: {note}")
    if json_output:
        show_json(_object(removed, dry_run=dry_run))
        return
    for line in _lines(removed.runs):
        show(line)
    verb = "would free" if dry_run else "freed"
    show(
        f"{len(removed.runs)} run(s), {removed.objects.blobs} object(s), {removed.blobs.blobs} artifact(s), "
        f"{removed.histories} histories: {verb} {size_text(removed.bytes)}"
    )
    if removed.young_bytes:
        young = size_text(removed.young_bytes)
        show(f"{young} more are unused but were written lately: a later 'orch-cli gc' takes them")


def _object(removed: Removed, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "runs": [run.model_dump() for run in removed.runs],
        "objects": removed.objects.blobs,
        "artifacts": removed.blobs.blobs,
        "histories": removed.histories,
        "bytes": removed.bytes,
        "young_bytes": removed.young_bytes,
        "notes": list(removed.notes),
    }


def size_text(size: int) -> str:
    """Bytes as a person reads them: 1.2 MB."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if amount >= 1000:
            amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
