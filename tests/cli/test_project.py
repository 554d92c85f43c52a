"""Whole projects through the real command line, with a server and a worker of their own and simulated models."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from orchestrator.client.processes import process_start
from tests.cli.command import COMMAND, orch

PROJECT = "Implement a Python rate limiter using decorators"
START = (
    "start",
    "--new-project",
    "--project",
    PROJECT,
    "--criteria",
    "pytest suite passes, ruff clean",
    "--budget",
    "2.0",
)
FAST = {"ORCH_SIM_LATENCY_MS": "5"}
SLOW = {"ORCH_SIM_LATENCY_MS": "700"}
PRICED = {**FAST, "ORCH_SIM_PRICE_SCALE": "1"}
KEYS = {
    "project_id", "workflow_id", "status", "spent_usd", "uncertain_usd", "reserved_usd", "max_usd", "quality_score",
    "calls", "elapsed_s", "output_dir", "simulated", "reason", "architecture", "criteria", "tasks",
}  # fmt: skip
TASK_KEYS = {
    "id", "title", "type", "status", "score", "model", "reviewer", "iterations", "spent_usd", "files",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    yield
    assert orch("server", "down").code == 0


def finished(project_id: str, code: int, environment: dict[str, str]) -> dict[str, object]:
    outcome = orch("watch", project_id, "--json", environment=environment)
    assert outcome.code == code, outcome.err
    return outcome.object


def test_from_a_sentence_to_software_that_passes_its_tests() -> None:
    outcome = orch(*START, "--output-dir", "out", "--json", environment=PRICED)
    assert outcome.code == 0, outcome.err
    assert "simulated models" in outcome.err
    assert re.search(r"^\d\d:\d\d:\d\d ", outcome.err, flags=re.MULTILINE), "progress in plain lines"
    result = outcome.object
    assert set(result) == KEYS
    assert all(set(task) == TASK_KEYS for task in result["tasks"])
    assert (result["status"], result["simulated"], result["max_usd"]) == ("SUCCESS", True, 2.0)
    assert result["output_dir"] == str(Path("out").absolute())
    assert 0 < sum(task["spent_usd"] for task in result["tasks"]) <= result["spent_usd"] <= 2.0
    assert {task["status"] for task in result["tasks"]} == {"COMPLETED"}
    assert (Path("out") / "REPORT.md").is_file()
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd="out", capture_output=True, check=False
    )
    assert tests.returncode == 0, tests.stdout

    project_id = result["project_id"]
    assert orch("status", project_id, "--json").object == result
    assert "simulated" in orch("status", project_id).out
    listed = {run["project_id"]: run for run in orch("list", "--json").object["projects"]}
    assert (listed[project_id]["status"], listed[project_id]["simulated"]) == ("SUCCESS", True)
    Path("out/notes.txt").write_text("mine", encoding="utf-8")
    assert finished(project_id, 0, PRICED) == result, "the user's work in the folder is left alone"
    assert orch("export", project_id, "--output-dir", "again").code == 0
    assert (Path("again") / "summary.json").read_bytes() == (Path("out") / "summary.json").read_bytes()
    assert orch("export", project_id, "--output-dir", "out").code == 2, "the user's work is in the way"
    assert orch("pause", project_id).code == 2


def test_pause_resume_and_cancel() -> None:
    started = orch(*START, "--detach", "--json", environment=SLOW)
    assert started.code == 0, started.err
    project_id = started.object["project_id"]
    assert project_id in started.err
    assert orch("export", project_id).code == 2
    paused = orch("pause", project_id, "--reason", "lunch", "--json")
    assert (paused.code, paused.object["status"]) == (0, "PAUSED")
    assert orch("resume", project_id, "--json").object["status"] in ("PLANNING", "RUNNING", "INTEGRATING")
    assert orch("cancel", project_id).code == 0
    assert finished(project_id, 8, SLOW)["status"] == "CANCELLED"


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_leaves_the_run_alone(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, *START], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **SLOW}
    )
    assert process.stderr is not None
    project_id = started_id(process.stderr)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert f"orch-cli watch {project_id}" in err
    assert finished(project_id, 0, SLOW)["output_dir"] == str(Path(f"results/{project_id}").absolute())
    assert (Path("results") / project_id / "summary.json").is_file()


@pytest.mark.long
def test_a_killed_command_line_loses_nothing() -> None:
    process = subprocess.Popen(
        [*COMMAND, *START, "-o", "out"], stderr=subprocess.PIPE, text=True, env={**os.environ, **SLOW}
    )
    assert process.stderr is not None
    project_id = started_id(process.stderr)
    process.kill()
    process.communicate(timeout=60)
    assert finished(project_id, 0, SLOW)["output_dir"] == str(Path("out").absolute())
    assert (Path("out") / "summary.json").is_file()


def test_an_exhausted_budget_has_its_exit_code_and_keeps_the_cap() -> None:
    outcome = orch(*START[:-1], "0.0005", "--json", environment=PRICED)
    assert outcome.code == 5, outcome.err
    assert outcome.object["status"] == "BUDGET_EXHAUSTED"
    assert outcome.object["spent_usd"] + outcome.object["uncertain_usd"] <= 0.0005


def test_a_run_out_of_time_has_its_exit_code() -> None:
    outcome = orch(*START, "--time-limit", "2s", "--json", environment=SLOW)
    assert (outcome.code, outcome.object["status"]) == (6, "TIMEOUT")


def test_all_models_down_is_a_system_failure() -> None:
    outcome = orch(*START, "--json", environment={**FAST, "ORCH_SIM_ERROR_RATE": "1"})
    assert (outcome.code, outcome.object["status"]) == (7, "SYSTEM_FAILURE")
    assert outcome.object["reason"]


def test_a_project_of_a_chosen_id_is_gone_on_with() -> None:
    chosen = ("start", "--project-id", "my-project-001", "-p", PROJECT, "--detach", "--json")
    first = orch(*chosen, "-c", "tests pass", environment=SLOW)
    assert (first.code, first.object["project_id"]) == (0, "my-project-001")
    again = orch(*chosen, "-c", "tests pass", environment=SLOW)
    assert again.code == 0
    assert "my-project-001 exists: following it." in again.err
    other = orch(*chosen, "-c", "something else", environment=SLOW)
    assert other.code == 2
    assert "my-project-001 exists with other texts" in other.err
    anew = orch(*chosen, "-c", "tests pass", "--new-project", environment=SLOW)
    assert anew.code == 2
    assert "--new-project: my-project-001 exists already" in anew.err
    assert orch("cancel", "my-project-001").code == 0


@pytest.mark.parametrize("command", ["status", "watch", "pause", "resume", "cancel", "export"])
def test_a_project_that_does_not_exist_is_bad_input(command: str) -> None:
    outcome = orch(command, "no-such-project")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert "no-such-project" in outcome.err
    assert "Traceback" not in outcome.err


def test_server_and_worker_can_be_stopped_and_started() -> None:
    up = orch("server", "up", "--json")
    assert up.code == 0, up.err
    assert set(up.object["server"]) == {"pid", "address", "ui_url", "version"}
    assert orch("server", "up", "--json").object == up.object, "nothing is started twice"
    assert orch("server", "status", "--json").object == up.object
    down = orch("server", "down", "--json")
    assert down.object == {"server": None, "worker": None}
    for pid in (up.object["server"]["pid"], up.object["worker"]["pid"]):
        assert process_start(pid) is None


def started_id(stderr: IO[str]) -> str:
    """The project id, once `start` says that the run has started."""
    for line in stderr:
        found = re.match(r"Started ([a-z0-9-]+)\.", line)
        if found:
            return found[1]
    raise AssertionError("the run did not start")
