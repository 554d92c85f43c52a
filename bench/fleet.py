"""Projects per minute of 1, 2 and 4 worker processes, and what limits them: `python -m bench.fleet`.

A batch of small projects whose models answer at once: on a real Temporal server with PostgreSQL, and embedded.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.processes import Usage, usage
from orchestrator.client.processes import wait_until
from orchestrator.testing.installation import Installation, VendorProcess
from orchestrator.testing.project_script import ProjectScript, tree
from tests.cluster.build import build
from tests.cluster.installation import WORKER, ClusterInstallation
from tests.cluster.kept import Kept, Program
from tests.cluster.server import Cluster, running_cluster

TASKS = 3
WARM_UP = 4  # projects that are not measured: everything is loaded and connected
PER_WORKER = 8  # projects at a time for each worker process
POLLING_S = 180.0
DISTURBED = 0.25  # of all processors, taken by others: the wall clock says little
BUSY = 0.9  # of all processors: then they are the limit

_PROJECT = "project: Benchmark {number}\ncriteria: It is done\nbudget: 5\nenhance: false\nadvise: false\n"


class Row(NamedTuple):
    """One measurement. CPU in seconds per project, by part; `busy` and `others` are shares of all processors."""

    server: str
    workers: int
    projects: int
    wall_s: float
    calls: int
    cpu_s: dict[str, float]
    busy: float
    others: float

    @property
    def per_minute(self) -> float:
        """Projects per minute."""
        return 60.0 * self.projects / self.wall_s

    @property
    def undisturbed(self) -> float:
        """Projects per minute that the processors allow where nothing else runs on them."""
        return 60.0 * (os.cpu_count() or 1) / sum(self.cpu_s.values())

    @property
    def limit(self) -> str:
        """What more of would make it quicker."""
        first, second = sorted(self.cpu_s, key=lambda part: -self.cpu_s[part])[:2]
        if self.busy >= BUSY and self.others > DISTURBED:
            return f"whatever else runs here; of ours {first}, then {second}"
        if self.busy >= BUSY:
            return f"the machine's CPUs: {first}, then {second}"
        if self.workers == 1 and self.cpu_s["workers"] * self.per_minute / 60 > BUSY:
            return "one worker process: one core"
        return f"waiting (CPU: {first}, then {second})"


class Site(NamedTuple):
    """Where a batch runs: whose commands, and the processes of each part."""

    installation: Installation
    vendors: VendorProcess
    parts: Callable[[], dict[str, list[int]]]


@contextmanager
def on_cluster(cluster: Cluster, folder: Path, workers: int) -> Iterator[Site]:
    """Workers of a namespace of the real server."""
    with ExitStack() as stack:
        vendors = _vendors(folder, stack)
        team = ClusterInstallation(cluster, f"fleet-{workers}", folder, vendors.environment(), workers)
        stack.callback(team.close)

        def parts() -> dict[str, list[int]]:
            return {
                "workers": _pids(team.workers),
                "server": _pids([cluster.temporal]),
                "PostgreSQL": _pids([cluster.postgres.process]),
            }

        yield Site(team, vendors, parts)


@contextmanager
def on_embedded(folder: Path, workers: int) -> Iterator[Site]:
    """The embedded server, its worker, and others beside it."""
    with ExitStack() as stack:
        vendors = _vendors(folder, stack)
        installation = Installation(folder, vendors.environment())
        stack.callback(installation.close)
        _run(installation, "server", "up")
        more = [
            Kept(Program(WORKER, folder, folder / f"worker-{number}.log", installation.environment))
            for number in range(1, workers)
        ]
        for kept in more:
            stack.callback(kept.close, patience_s=0.0)
        logs = [folder / f"worker-{number}.log" for number in range(1, workers)]
        if not wait_until(lambda: all(log.exists() and b"polling " in log.read_bytes() for log in logs), POLLING_S):
            raise RuntimeError("a worker does not start")

        def parts() -> dict[str, list[int]]:
            first, server = installation.worker_pid(), installation.server_pid()
            return {
                "workers": [pid for pid in (first, *_pids(more)) if pid],
                "server": [server] if server else [],
            }

        yield Site(installation, vendors, parts)


def measured(site: Site, server: str, workers: int, projects: int) -> Row:
    """One batch, after a small one that makes everything warm. Raises RuntimeError where it does not succeed."""
    _batch(site.installation, WARM_UP, workers)
    parts = {**site.parts(), "vendors": [site.vendors.pid]}
    asked = _asked(site)
    before, began_s = usage(parts), time.monotonic()
    _batch(site.installation, projects, workers)
    wall_s, used = time.monotonic() - began_s, usage(parts).since(before)
    return _row(server, workers, projects, wall_s, _asked(site) - asked, used)


def _row(server: str, workers: int, projects: int, wall_s: float, calls: int, used: Usage) -> Row:
    capacity_s = wall_s * (os.cpu_count() or 1)
    ours_s = sum(used.parts.values())
    return Row(
        server=server,
        workers=workers,
        projects=projects,
        wall_s=wall_s,
        calls=calls,
        cpu_s={part: cpu_s / projects for part, cpu_s in used.parts.items()},
        busy=min(1.0, used.machine_s / capacity_s),
        others=max(0.0, used.machine_s - ours_s) / capacity_s,
    )


def _batch(installation: Installation, projects: int, workers: int) -> None:
    """Run a batch of so many projects to its end."""
    folder = installation.folder / f"batch-{projects}"
    folder.mkdir(exist_ok=True)
    files = [folder / f"p{number:03d}.yaml" for number in range(projects)]
    for number, file in enumerate(files):
        file.write_text(_PROJECT.format(number=number), encoding="utf-8")
    at_once = str(min(64, PER_WORKER * workers))
    _run(installation, "batch", "run", *map(str, files), "--concurrency", at_once, "--json")


def _run(installation: Installation, *arguments: str) -> None:
    outcome = installation.run(*arguments, timeout_s=1800.0)
    if outcome.code:
        raise RuntimeError(f"orch-cli {' '.join(arguments[:2])} ended with {outcome.code}: {outcome.err[-2000:]}")


def _vendors(folder: Path, stack: ExitStack) -> VendorProcess:
    vendors = VendorProcess(folder, ProjectScript(tasks=tree(TASKS)).save(folder / "script.py"))
    stack.callback(vendors.close)
    return vendors


def _asked(site: Site) -> int:
    return sum(event["event"] == "received" for event in site.vendors.log.events())


def _pids(kept: list[Kept]) -> list[int]:
    return [each.pid for each in kept if each.pid]


def rows(servers: list[str], counts: list[int], projects: int) -> Iterator[Row]:
    """All measurements, each on its own folder and namespace."""
    for server in servers:
        with ExitStack() as stack:
            cluster = stack.enter_context(running_cluster()) if server == "cluster" else None
            for workers in counts:
                with tempfile.TemporaryDirectory(prefix="orch-fleet-") as name:
                    folder = Path(name)
                    opened = on_cluster(cluster, folder, workers) if cluster else on_embedded(folder, workers)
                    with opened as site:
                        yield measured(site, server, workers, projects)


def table(found: list[Row]) -> str:
    """The measurements as aligned text."""
    parts = ("workers", "server", "PostgreSQL", "vendors")
    head = (
        "server",
        "workers",
        "projects/min",
        "undisturbed",
        "calls/s",
        *(f"CPU s: {part}" for part in parts),
        "busy",
        "others",
    )
    lines = [(*head, "limit")] + [
        (
            row.server,
            str(row.workers),
            f"{row.per_minute:.1f}",
            f"{row.undisturbed:.0f}",
            f"{row.calls / row.wall_s:.1f}",
            *(f"{row.cpu_s[part]:.2f}" if part in row.cpu_s else "" for part in parts),
            f"{row.busy:.0%}",
            f"{row.others:.0%}",
            row.limit,
        )
        for row in found
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def as_object(found: list[Row]) -> dict[str, Any]:
    """The measurements for machines."""
    shown = [
        {
            **row._asdict(),
            "projects_per_minute": round(row.per_minute, 2),
            "undisturbed": round(row.undisturbed, 1),
            "limit": row.limit,
        }
        for row in found
    ]
    return {"cpus": os.cpu_count(), "load": os.getloadavg(), "tasks_per_project": TASKS, "rows": shown}


def main() -> int:
    """Prints the table. CPU is per project; `others`: what else the machine did; `undisturbed`: what it would allow."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.fleet", description="Projects per minute of several workers."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--projects", type=int, default=48, help="projects of a batch")
    parser.add_argument("--workers", default="1,2,4", help="numbers of worker processes")
    parser.add_argument("--servers", default="cluster,embedded", help="cluster: real server on PostgreSQL; embedded")
    options = parser.parse_args()
    servers, counts = options.servers.split(","), [int(count) for count in options.workers.split(",")]
    if "cluster" in servers:
        build()
    found: list[Row] = []
    try:
        for row in rows(servers, counts, options.projects):
            found.append(row)
            print(
                f"{row.server}, {row.workers} workers: {row.per_minute:.1f} projects/min", file=sys.stderr, flush=True
            )
    finally:  # what was measured counts, whatever came after it
        print(table(found))
        if options.json:
            options.json.write_text(json.dumps(as_object(found), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
