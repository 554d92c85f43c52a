"""Batches and schedules on a cluster: nobody waits for them, parts of the cluster die, and the books balance."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.catalog import load_catalog
from orchestrator.client.processes import wait_until
from orchestrator.domain.money import micro
from orchestrator.testing.installation import VendorProcess
from orchestrator.testing.project_script import ProjectScript, tree
from orchestrator.testing.vendor_records import log_billed_micro
from tests.cluster.conftest import Teams
from tests.cluster.installation import ClusterInstallation

PROJECTS = 6
ASKED_BEFORE_THE_KILLS = 12
POINT_S = 120.0
FIRINGS = 3
FIRINGS_S = 420.0  # of one a minute, with a restart of everything between them
LOOK_S = 2.0


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[VendorProcess]:
    process = VendorProcess(tmp_path, ProjectScript(tasks=tree(3), latency_ms=200).save(tmp_path / "script.py"))
    try:
        yield process
    finally:
        process.close()


def project_files(folder: Path, count: int) -> list[str]:
    files = []
    for number in range(count):
        path = folder / f"p{number}.yaml"
        path.write_text(f"project: Project {number}\ncriteria: It is done\nbudget: 2\nenhance: false\nadvise: false\n")
        files.append(str(path))
    return files


def kill_everything(team: ClusterInstallation) -> None:
    for kept in (team.cluster.postgres.process, team.cluster.temporal, *team.workers):
        assert kept.replace(POINT_S)


def test_a_batch_outlives_all_parts_of_the_cluster(teams: Teams, vendors: VendorProcess) -> None:
    team = teams(vendors.environment(), workers=2)
    command = team.begin("batch", "run", *project_files(team.folder, PROJECTS), "--budget", "10", "--json")

    def asked() -> int:
        return sum(event["event"] == "received" for event in vendors.log.events())

    assert wait_until(lambda: asked() >= ASKED_BEFORE_THE_KILLS or command.process.poll() is not None, POINT_S)
    kill_everything(team)
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    batch = outcome.object
    assert [project["status"] for project in batch["projects"]] == ["SUCCESS"] * PROJECTS
    spent, uncertain = micro(batch["spent_usd"]), micro(batch["uncertain_usd"])
    billed = log_billed_micro(vendors.log.events(), load_catalog(team.settings))
    assert spent <= billed <= spent + uncertain
    assert sum(micro(project["spent_usd"]) for project in batch["projects"]) == spent
    assert spent + uncertain <= micro(10)


def test_a_schedule_fires_while_nobody_is_there_and_after_a_restart_of_everything(teams: Teams) -> None:
    team = teams({"ORCH_SIM_LATENCY_MS": "5", "ORCH_SIM_DEFECT_RATE": "0"})
    (file,) = project_files(team.folder, 1)
    made = team.run("schedule", "create", "nightly", "--file", file, "--every", "1m", "--json")
    assert made.code == 0, made.err
    began_s = time.monotonic()
    ended_runs(team, 1)
    kill_everything(team)
    runs = ended_runs(team, FIRINGS, FIRINGS_S - (time.monotonic() - began_s))
    assert {run["status"] for run in runs} == {"SUCCESS"}, runs
    assert team.run("schedule", "pause", "nightly").code == 0
    for number, run in enumerate(runs[:FIRINGS]):
        folder = team.folder / f"results-{number}"
        exported = team.run("export", run["batch_id"], "--output-dir", str(folder), "--json")
        assert exported.code == 0, exported.err
        assert list(folder.rglob("REPORT.md")), f"nothing of {run['batch_id']}"
    assert team.run("schedule", "delete", "nightly").code == 0


def ended_runs(team: ClusterInstallation, count: int, timeout_s: float = POINT_S) -> list[dict[str, Any]]:
    """The schedule's runs, once so many have ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        shown = team.run("schedule", "show", "nightly", "--json")
        if shown.code == 0:  # else the server is on its way back
            runs = [run for run in shown.object["runs"] if run["status"] not in ("RUNNING", "PLANNING")]
            if len(runs) >= count:
                return runs
        assert time.monotonic() < deadline, (shown.out, shown.err)
        time.sleep(LOOK_S)
