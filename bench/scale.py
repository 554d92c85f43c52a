"""What large runs cost: `python -m bench.scale`. A thousand tasks, a long chain, a hundred projects at once."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from bench.figures import Figure, as_object, table
from bench.plain import plain_s
from orchestrator.catalog import ROUTING, load_catalog
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.connection import connect_embedded, ensure_services
from orchestrator.client.spec import ProjectRequest, build_spec
from orchestrator.contracts import names
from orchestrator.contracts.project import BudgetView, EventPage, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.state import ProjectInput
from orchestrator.testing.histories import history_bytes, largest_payload_bytes
from orchestrator.testing.installation import Installation, VendorProcess, kill_process
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, chain, tree, wide

PLAIN_AIM = 1.74  # 40 s where a bare workflow takes 23
MEMORY_AIM_MB = 300.0
PAYLOAD_AIM_KIB = 128.0
QUERY_AIM_MS = 100.0
CONCURRENCY = 64
CALLS_PER_TASK = 4
MAX_USD = 10_000
TIME_LIMIT_S = 7200.0
WATCH_S = 1.0
AT_REST = 10  # queries of each kind while nothing goes on
GRAPHS: dict[str, Callable[[int], tuple[ScriptedTask, ...]]] = {"tree": tree, "chain": chain, "wide": wide}


class Grown(NamedTuple):
    """One run, without its pause. `histories`: events, bytes and largest payload of each execution.

    Queries were timed while calls went on (`busy_ms`) and in a pause in the middle (`rest_ms`).
    """

    view: ProjectView
    wall_s: float
    histories: list[tuple[int, int, int]]
    busy_ms: dict[str, list[float]]
    rest_ms: dict[str, list[float]]


class Site:
    """An installation whose vendors play one script."""

    def __init__(self, folder: Path, tasks: tuple[ScriptedTask, ...]) -> None:
        script = ProjectScript(tasks=tasks).save(folder / "script.py")
        self.vendors = VendorProcess(folder, script)
        self.installation = Installation(folder, self.vendors.environment())
        self.peak_mb = 0.0
        self.client: Client | None = None

    async def open(self) -> Client:
        """Server and worker run, and a client of them is there."""
        settings = self.installation.settings
        server = await asyncio.to_thread(ensure_services, settings, lambda line: None, replace_worker=False)
        if self.client is None:
            self.client = await connect_embedded(settings, server)
        return self.client

    async def kill_worker(self) -> None:
        """kill -9, and a new one."""
        self.look_at_memory()
        pid = self.installation.worker_pid()
        if pid:
            await asyncio.to_thread(kill_process, pid)
        await self.open()

    def look_at_memory(self) -> None:
        """Take the worker's peak so far into account."""
        pid = self.installation.worker_pid()
        if pid:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.peak_mb = max(self.peak_mb, int(peak.split()[1]) / 1024)

    def asked(self) -> int:
        """Requests that reached the vendors."""
        return sum(event["event"] == "received" for event in self.vendors.log.events())

    def input(self, project_id: str, concurrency: int) -> ProjectInput:
        """A run of the script with money and time to spare."""
        request = ProjectRequest(
            project="Benchmark",
            criteria="It is done",
            max_micro=MAX_USD * 1_000_000,
            time_limit_s=TIME_LIMIT_S,
            concurrency=concurrency,
        )
        spec = build_spec(
            request,
            project_id=project_id,
            models=load_catalog(self.installation.settings),
            routing=ROUTING,
            simulated_routing=SIMULATED_ROUTING,
            embedded=True,
        )
        return ProjectInput(spec=spec)

    async def start(self, project_id: str, concurrency: int) -> WorkflowHandle[Any, ProjectView]:
        """A run that has been started."""
        client = await self.open()
        return await client.start_workflow(
            names.PROJECT_WORKFLOW,
            self.input(project_id, concurrency),
            id=names.workflow_id(project_id),
            task_queue=names.QUEUE_WORKFLOWS,
            result_type=ProjectView,
        )

    def close(self) -> None:
        """End all processes."""
        self.installation.close()
        self.vendors.close()


async def grown(site: Site, tasks: int, concurrency: int, kills: int) -> Grown:
    """One run from start to end, watched like a person would, its worker killed `kills` times."""
    client = await site.open()
    began_s = time.monotonic()
    handle = await site.start("grown", concurrency)
    finished = asyncio.create_task(handle.result())
    busy_ms: dict[str, list[float]] = {}
    rest_ms: dict[str, list[float]] = {}
    rest_s = 0.0
    kill_at = [tasks * (number + 1) // (kills + 1) for number in range(kills)]
    current = client.get_workflow_handle(handle.id)
    while not finished.done():
        await asyncio.wait([finished], timeout=WATCH_S)
        done = await _watch(current, busy_ms) if not finished.done() else 0
        if kill_at and done >= kill_at[0]:
            del kill_at[0]
            await site.kill_worker()
        if not rest_ms and tasks // 2 <= done < tasks:
            rest_s = await _rest(current, rest_ms)
        site.look_at_memory()
    view = await finished
    wall_s = time.monotonic() - began_s - rest_s
    histories = [events async for events in _histories(client, handle)]
    return Grown(view, wall_s, histories, busy_ms, rest_ms)


async def _rest(handle: WorkflowHandle[Any, Any], times: dict[str, list[float]]) -> float:
    """Pause the run, let its calls finish, and query it; the seconds that this took once nothing went on."""
    await handle.signal(names.SIGNAL_PAUSE)
    while (await handle.query(names.QUERY_STATUS, result_type=ProjectView)).reserved_micro:  # noqa: ASYNC110
        await asyncio.sleep(WATCH_S / 10)
    began_s = time.monotonic()
    for _ in range(AT_REST):
        await _watch(handle, times)
    await handle.signal(names.SIGNAL_RESUME)
    return time.monotonic() - began_s


async def _watch(handle: WorkflowHandle[Any, Any], times: dict[str, list[float]]) -> int:
    """Each query once; the number of tasks that are done. A run that is just being continued answers none."""

    async def timed(name: str, query: Awaitable[Any]) -> Any:
        began_s = time.perf_counter()
        answer = await query
        times.setdefault(name, []).append((time.perf_counter() - began_s) * 1000)
        return answer

    try:
        view: ProjectView = await timed("status", handle.query(names.QUERY_STATUS, result_type=ProjectView))
        await timed("tasks", handle.query(names.QUERY_TASKS, 0, result_type=tuple[TaskView, ...]))
        await timed("budget", handle.query(names.QUERY_BUDGET, result_type=BudgetView))
        await timed("events", handle.query(names.QUERY_EVENTS, 0, result_type=EventPage))
    except RPCError:
        return 0
    return view.tasks_done


async def _histories(client: Client, handle: WorkflowHandle[Any, Any]) -> AsyncIterator[tuple[int, int, int]]:
    run_id = handle.first_execution_run_id
    while run_id:
        events = (await client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()).events
        yield len(events), history_bytes(events), largest_payload_bytes(events)
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id


def figures_of(label: str, run: Grown, site: Site) -> list[Figure]:
    """The run's figures. Raises RuntimeError where it was no success."""
    if run.view.status is not ProjectStatus.SUCCESS:
        raise RuntimeError(f"{label} ended as {run.view.status.value}: {run.view.reason}")
    size = sum(history[1] for history in run.histories)
    largest = max(history[2] for history in run.histories)
    found = [
        Figure(f"{label}: whole run", "s", (run.wall_s,), None),
        Figure(f"{label}: calls on the books", "", (run.view.calls,), None),
        Figure(f"{label}: requests at the vendors", "", (site.asked(),), None),
        Figure(f"{label}: executions", "", (len(run.histories),), None),
        Figure(f"{label}: worker's peak memory", "MB", (site.peak_mb,), MEMORY_AIM_MB),
        Figure(f"{label}: history per call", "bytes", (size / run.view.calls,), None),
        Figure(f"{label}: largest payload", "KiB", (largest / 1024,), PAYLOAD_AIM_KIB),
    ]
    found += [Figure(f"{label}: query {name}", "ms", tuple(ms), QUERY_AIM_MS) for name, ms in run.rest_ms.items()]
    busy = [(name, (median(ms), max(ms))) for name, ms in run.busy_ms.items()]
    found += [Figure(f"{label}: query {name} under load, median and slowest", "ms", ms, None) for name, ms in busy]
    return found


async def one(graph: str, tasks: int, kills: int) -> list[Figure]:
    """A project of this many tasks."""
    with tempfile.TemporaryDirectory(prefix="orch-scale-") as folder:
        site = Site(Path(folder), GRAPHS[graph](tasks))
        try:
            label = f"{graph} {tasks}{f', {kills} kills' if kills else ''}"
            compared = graph != "chain" and not kills
            plain = [await _plain_s(site, tasks)] if compared else []
            run = await grown(site, tasks, CONCURRENCY, kills)
            found = figures_of(label, run, site)
            if compared:  # before and after, since the speed of a machine changes
                plain.append(await _plain_s(site, tasks))
                ratio = run.wall_s / (sum(plain) / len(plain))
                found.append(Figure(f"{label}: as many calls by a bare workflow", "s", tuple(plain), None))
                found.append(Figure(f"{label}: over a bare workflow", "ratio", (ratio,), PLAIN_AIM))
            return found
        finally:
            site.close()


async def _plain_s(site: Site, tasks: int) -> float:
    await site.open()
    return await plain_s(site.installation.temporal_address(), tasks, CALLS_PER_TASK, CONCURRENCY)


async def many(projects: int) -> list[Figure]:
    """Projects of three tasks at once, on one worker."""
    with tempfile.TemporaryDirectory(prefix="orch-scale-") as folder:
        site = Site(Path(folder), tree(3))
        try:
            await site.open()
            began_s = time.monotonic()
            handles = await asyncio.gather(*(site.start(f"p{number:03d}", 4) for number in range(projects)))
            views = await asyncio.gather(*(handle.result() for handle in handles))
            wall_s = time.monotonic() - began_s
            site.look_at_memory()
            bad = [view for view in views if view.status is not ProjectStatus.SUCCESS]
            if bad:
                raise RuntimeError(f"{len(bad)} projects did not succeed: {bad[0].status.value} {bad[0].reason}")
            return [
                Figure(f"{projects} projects at once", "s", (wall_s,), None),
                Figure(f"{projects} projects: calls on the books", "", (sum(view.calls for view in views),), None),
                Figure(f"{projects} projects: requests at the vendors", "", (site.asked(),), None),
                Figure(f"{projects} projects: worker's peak memory", "MB", (site.peak_mb,), MEMORY_AIM_MB),
            ]
        finally:
            site.close()


async def measured(options: argparse.Namespace) -> list[Figure]:
    """What was asked for, printed as it comes."""
    found: list[Figure] = []
    wanted = [
        one("tree", options.tasks, options.kills) if options.tasks else None,
        one("chain", options.chain, 0) if options.chain else None,
        many(options.projects) if options.projects else None,
    ]
    for figures in wanted:
        for figure in await figures if figures else ():
            found.append(figure)
            print(f"{figure.name}: {figure.value:.2f} {figure.unit}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Exit code 0 whether or not aims are reached: figures of a busy machine say little."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="Benchmarks of large runs.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--tasks", type=int, default=1000, help="tasks of the large project; 0 leaves it out")
    parser.add_argument("--kills", type=int, default=0, help="how often its worker is killed on the way")
    parser.add_argument("--chain", type=int, default=500, help="tasks of the chain; 0 leaves it out")
    parser.add_argument("--projects", type=int, default=100, help="projects at once; 0 leaves them out")
    options = parser.parse_args()
    found = asyncio.run(measured(options))
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(as_object(found), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
