"""What a large batch costs: `python -m bench.batch`. Five hundred projects, if need be with kills on the way."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from temporalio.service import RPCError

from bench.figures import Figure, as_object, table
from bench.scale import MEMORY_AIM_MB, PAYLOAD_AIM_KIB, Site
from orchestrator.catalog import load_catalog
from orchestrator.contracts import names
from orchestrator.contracts.batch import BatchView
from orchestrator.domain.money import micro
from orchestrator.testing.histories import history_bytes, largest_payload_bytes
from orchestrator.testing.installation import Command
from orchestrator.testing.project_script import wide
from orchestrator.testing.vendor_records import log_billed_micro

EVENTS_AIM = 10_000.0  # of one execution: the server warns from there
WATCH_S = 2.0
PROJECT = "project: Project {number}\ncriteria: It is done\nbudget: 1\nenhance: off\nadvise: false\n"


async def batch(projects: int, concurrency: int, kills: int) -> list[Figure]:
    """A batch by the command line. Raises RuntimeError where it is no success, or the books do not balance."""
    with tempfile.TemporaryDirectory(prefix="orch-batch-") as folder:
        site = Site(Path(folder), wide(1))
        try:
            return await _measured(site, projects, concurrency, kills)
        finally:
            site.close()


async def _measured(site: Site, projects: int, concurrency: int, kills: int) -> list[Figure]:
    folder = site.installation.folder / "nightly"
    folder.mkdir()
    files = [folder / f"p{number:04d}.yaml" for number in range(projects)]
    for number, file in enumerate(files):
        file.write_text(PROJECT.format(number=number), encoding="utf-8")
    await site.open()
    began_s = time.monotonic()
    options = ("--concurrency", str(concurrency), "--json")
    command = site.installation.begin("batch", "run", *map(str, files), *options)
    begun_s, query_ms = await _watched(site, command, projects, kills)
    outcome = command.wait()
    wall_s = time.monotonic() - began_s
    result = outcome.object
    if outcome.code:
        raise RuntimeError(f"the batch ended as {result['status']}: {result['reason']}")
    billed = log_billed_micro(site.vendors.log.events(), load_catalog(site.installation.settings))
    spent, uncertain = micro(result["spent_usd"]), micro(result["uncertain_usd"])
    if not spent <= billed <= spent + uncertain:
        raise RuntimeError(f"billed {billed}, on the books {spent} and {uncertain} uncertain micro-USD")
    label = f"batch of {projects}, {concurrency} at a time" + (f", {kills} kills" if kills else "")
    return [
        Figure(f"{label}: whole run", "s", (wall_s,), None),
        Figure(f"{label}: files read, resolved and stored", "s", (begun_s,), None),
        Figure(f"{label}: projects a minute", "", (projects * 60 / (wall_s - begun_s),), None),
        Figure(f"{label}: calls on the books", "", (sum(one["calls"] for one in result["projects"]),), None),
        Figure(f"{label}: requests at the vendors", "", (site.asked(),), None),
        Figure(f"{label}: spend and uncertain", "micro-USD", (spent, uncertain), None),
        Figure(f"{label}: worker's peak memory", "MB", (site.peak_mb,), MEMORY_AIM_MB),
        Figure(f"{label}: query status under load, median and slowest", "ms", (median(query_ms), max(query_ms)), None),
        *await _histories(site, label, result["workflow_id"]),
    ]


async def _watched(site: Site, command: Command, projects: int, kills: int) -> tuple[float, list[float]]:
    """When the batch had begun, and how long its answers took; the worker is killed `kills` times on the way."""
    began_s = time.monotonic()
    while "Started " not in command.err:
        if command.process.poll() is not None:
            raise RuntimeError(command.err)
        await asyncio.sleep(0.05)
    begun_s = time.monotonic() - began_s
    workflow = names.batch_workflow_id(command.err.split("Started ", 1)[1].split(":", 1)[0])
    handle = (await site.open()).get_workflow_handle(workflow)
    kill_at = [projects * (number + 1) // (kills + 1) for number in range(kills)]
    query_ms: list[float] = []
    while command.process.poll() is None:
        await asyncio.sleep(WATCH_S)
        site.look_at_memory()
        asked_s = time.perf_counter()
        try:
            view: BatchView = await handle.query(names.QUERY_STATUS, result_type=BatchView)
        except RPCError:  # the worker was just killed, or the batch is being continued
            continue
        query_ms.append((time.perf_counter() - asked_s) * 1000)
        if kill_at and view.projects_done >= kill_at[0]:
            del kill_at[0]
            await site.kill_worker()
    return begun_s, query_ms


async def _histories(site: Site, label: str, workflow: str) -> list[Figure]:
    client = await site.open()
    newest = client.get_workflow_handle(workflow)
    found = []
    run_id = (await newest.describe()).raw_description.workflow_execution_info.first_run_id
    while run_id:
        events = (await client.get_workflow_handle(workflow, run_id=run_id).fetch_history()).events
        found.append((len(events), history_bytes(events), largest_payload_bytes(events)))
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return [
        Figure(f"{label}: executions", "", (len(found),), None),
        Figure(f"{label}: events of an execution", "", tuple(history[0] for history in found), EVENTS_AIM),
        Figure(f"{label}: history", "KiB", (sum(history[1] for history in found) / 1024,), None),
        Figure(f"{label}: largest payload", "KiB", (max(history[2] for history in found) / 1024,), PAYLOAD_AIM_KIB),
    ]


def main() -> int:
    """Exit code 0 whether or not aims are reached: figures of a busy machine say little."""
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description="Benchmark of a large batch.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--projects", type=int, default=500, help="projects of the batch")
    parser.add_argument("--concurrency", type=int, default=16, help="projects at a time")
    parser.add_argument("--kills", type=int, default=0, help="how often the worker is killed on the way")
    options = parser.parse_args()
    found = asyncio.run(batch(options.projects, options.concurrency, options.kills))
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(as_object(found), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
