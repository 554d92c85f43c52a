"""The command line against a cluster: nothing is started here, workers are somebody else's, SQL finds the runs."""

import subprocess

from orchestrator.client.binary import find_temporal
from orchestrator.client.processes import wait_until
from tests.cluster.conftest import Teams
from tests.cluster.installation import ClusterInstallation
from tests.cluster.server import Cluster

PATIENCE_S = 60.0
QUICK = {"ORCH_SIM_LATENCY_MS": "5", "ORCH_SIM_DEFECT_RATE": "0"}
PROJECT = ("start", "--project", "A library that greets", "--criteria", "pytest passes", "--no-input", "--json")


def some_task_is_done(team: ClusterInstallation, run: str) -> bool:
    tasks = team.run("status", run, "--json").object["tasks"]
    return any(task["status"] == "COMPLETED" for task in tasks)


def temporal(installation: ClusterInstallation, *arguments: str) -> str:
    """Temporal's own command in the installation's namespace."""
    binary = find_temporal(installation.settings, lambda line: None)
    where = ("--address", installation.temporal_address(), "--namespace", installation.namespace)
    return subprocess.run([str(binary), *arguments, *where], check=True, capture_output=True, text=True).stdout


def test_a_project_waits_for_a_worker_and_is_found_by_its_attributes(teams: Teams, cluster: Cluster) -> None:
    team = teams(QUICK, workers=0)
    started = team.run(*PROJECT, "--detach")
    assert started.code == 0, started.err
    run = started.object["project_id"]
    assert "no worker polls" in started.err
    assert not (team.home / "temporal").exists(), "a server of our own was started"
    team.scale(1)
    watched = team.run("watch", run, "--json")
    assert watched.code == 0, watched.err
    assert watched.object["status"] == "SUCCESS"
    assert watched.object["simulated"]
    listed = team.run("list", "--json").object["projects"]
    assert [(row["project_id"], row["status"]) for row in listed] == [(run, "SUCCESS")]
    assert run in temporal(team, "workflow", "list", "--query", "OrchStatus = 'SUCCESS' AND OrchTasksDone > 0")
    kept = "SELECT count(*) FROM executions_visibility WHERE workflow_id = 'project-{}' AND status = 2"
    assert cluster.postgres.query("temporal_visibility", kept.format(run)) == "1"
    exported = team.run("export", run, "--output-dir", str(team.folder / "again"), "--json")
    assert exported.code == 0, exported.err
    assert (team.folder / "again" / "REPORT.md").is_file()


def test_a_run_that_an_administrator_terminated_goes_on(teams: Teams) -> None:
    team = teams({**QUICK, "ORCH_SIM_LATENCY_MS": "300"})
    started = team.run(*PROJECT, "--detach")
    assert started.code == 0, started.err
    run = started.object["project_id"]
    assert wait_until(lambda: some_task_is_done(team, run), PATIENCE_S)
    temporal(team, "workflow", "terminate", "--workflow-id", f"project-{run}", "--reason", "maintenance")
    again = team.run("resume", run, "--json")
    assert again.code == 0, again.err
    assert again.object["status"] == "SUCCESS"
