"""Runs the chaos suite and prints its table: `python -m tests.chaos.table --help`."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.conftest import REPORT, SEED
from tests.chaos.invariants import Harm

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
COLUMNS = tuple(Harm)

_BY_TEST = {
    "test_one_vendor_fails_and_the_others_take_over": "vendor: {}",
    "test_an_outage_of_all_vendors_is_never_a_success": "vendor: {}",
    "test_vendors_that_fail_after_the_plan_leave_no_success": "vendor: {}",
    "test_faults_mixed_at_random": "vendors: all faults mixed, 30%",
    "test_a_small_budget_holds_under_mixed_faults": "vendors: all faults mixed, 30%, small budget",
    "test_two_workers_on_one_queue_ask_nothing_twice": "two workers on one queue",
    "test_a_worker_of_two_is_killed_with_the_artifacts_in_a_bucket": "two workers, a bucket: one is killed",
    "test_a_fleet_is_killed_and_scaled_in_mid_batch": "1 to 4 workers and back, killed at random: {}",
    "test_a_store_that_cannot_be_written_for_a_while_loses_nothing": "store: {}",
    "test_a_blob_of_a_finished_task_is_never_published_wrong": "store: blob {}",
    "test_a_prompt_whose_sources_are_gone_costs_nothing": "store: blob missing",
    "test_a_server_that_stands_still_while_calls_complete": "server stands still while calls complete",
    "test_run_survives": "kill -9 at a chosen point: {}",
    "test_a_kill_at_a_random_moment": "kill -9 at a random moment: {}",
    "test_a_worker_that_is_told_to_stop_finishes_what_is_being_paid_for": "worker: SIGTERM",
    "test_a_terminated_run_goes_on_within_its_cap": "terminated and resumed, small budget",
    "test_a_clock_that_jumps": "wall clock jumps by 1 h and 20 s, there and back: {}",
    "test_one_vendor_less_changes_no_result_but_the_models": "one vendor of all is {} in mid-run",
    "test_a_batch_survives": "kill -9 twice in a batch: {}",
    "test_three_runs_by_themselves_through_a_restart_of_everything": "kill -9 of everything between runs of a schedule",
}
# The part of the parameter that names the fault: the rest is where or when.
_FIRST_PART = ("test_a_store", "test_run_survives", "test_a_kill", "test_a_clock")
_LAST_PART = ("test_one_vendor_less",)

_HEAD = """# Faults

What the chaos suite does to runs, and what came of it. `lost`: an answer that was paid for is missing, or the run did
not end as it should. `repeated`: a call that was answered was sent again. `over cap`: more was billed or booked than
allowed. `wrong status`: the status says something else than what happened. `books`: amounts do not add up. All are
judged by what the fake vendors counted (`tests/chaos/invariants.py`), never by what a run says of itself.
"""


def fault_of(test: str) -> str:
    """The row that a test counts for."""
    name, _, parameter = test.removesuffix("]").partition("[")
    if name.startswith(_FIRST_PART):
        parameter = parameter.rsplit("-", 1)[0].rstrip("-")
    if name.startswith(_LAST_PART):
        parameter = parameter.rsplit("-", 1)[-1]
    return _BY_TEST.get(name, name.replace("_", " ")).format(parameter)


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Markdown: a line per fault with its seeds, its runs, and in how many of them what did not hold."""
    runs: Counter[str] = Counter()
    seeds: dict[str, set[int]] = {}
    harms: Counter[tuple[str, str]] = Counter()
    for row in rows:
        fault = fault_of(row["test"])
        runs[fault] += row["outcome"] != "skipped"
        seeds.setdefault(fault, set()).add(row["seed"])
        harms[fault, row["harm"]] += 1
    lines = [f"| fault | seeds | runs | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * (len(COLUMNS) + 2)}"]
    for fault in sorted(runs):
        counts = [str(harms[fault, harm]) if runs[fault] else "not run" for harm in COLUMNS]
        lines.append(f"| {fault} | {len(seeds[fault])} | {runs[fault]} | {' | '.join(counts)} |")
    totals = " | ".join(str(sum(harms[fault, harm] for fault in runs)) for harm in COLUMNS)
    return "\n".join([*lines, f"| all | {len(set().union(*seeds.values()))} | {sum(runs.values())} | {totals} |"])


def failures(rows: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each run that did not hold."""
    failed = [row for row in rows if row["outcome"] == "failed"]
    return [f"- seed {row['seed']}, `{row['test']}`: {row['message'].splitlines()[0]}" for row in failed]


def run(seed: int, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """The suite once; a row per test."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/chaos", *arguments],
            cwd=ROOT,
            env={**os.environ, SEED: str(seed), REPORT: str(report)},
            stdout=sys.stderr,
            check=False,
        )
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    return [{**json.loads(line), "seed": seed} for line in lines]


def _added(path: Path, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """All rows of the file, these among them: what a suite of an hour did in several goes."""
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{json.dumps(row)}\n" for row in rows))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(command: str, lines: Sequence[str]) -> None:
    """Replaces the table of the document; the sections that follow it are somebody's words and stay."""
    when = f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()}, Python {platform.python_version()}"
    _, mark, words = DOCUMENT.read_text(encoding="utf-8").partition("\n## ")
    parts = "\n".join([_HEAD, f"`{command}`, {when}.", "", *lines]).rstrip()
    DOCUMENT.write_text(f"{parts}\n{mark}{words}", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 where anything did not hold, or nothing was run."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.table", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how often, each time with another seed")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--sample", action="store_true", help="only the sample that `make test` runs")
    parser.add_argument("--only", default="", help="only tests that this expression of pytest's -k selects")
    parser.add_argument("--rows", type=Path, help="a file that results are added to; the table is of all that it holds")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    chosen = [*(() if options.sample else ("--chaos",)), *(("-k", options.only) if options.only else ())]
    seeds = range(options.first, options.first + options.seeds)
    rows = [row for seed in seeds for row in run(seed, chosen)]
    if options.rows:
        rows = _added(options.rows, rows)
    text = table(rows)
    sys.stdout.write(text + "\n")
    failed = failures(rows)
    sys.stdout.write("".join(f"{line}\n" for line in failed))
    if options.write:
        _write(f"python -m tests.chaos.table {' '.join(arguments)}", [text, "", *failed])
    return 0 if rows and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
