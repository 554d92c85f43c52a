"""A schedule fires by itself, its creator long gone, and goes on after everything was killed."""

import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.testing.installation import Installation, Installed, kill_process

PROJECT = "project: Convert Celsius to Fahrenheit\ncriteria: The tests pass\nbudget: 1.0\n"
DEADLINE_S = 240.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def restart(installation: Installation) -> None:
    """What comes back by itself in a cluster is started again here."""
    if installation.settings.embedded:
        assert installation.run("server", "up").code == 0


def test_three_runs_by_themselves_through_a_restart_of_everything(tmp_path: Path, installed: Installed) -> None:
    # No command runs while the schedule is watched: each would bring back what was killed.
    results = tmp_path / "nightly"
    installation = installed(tmp_path, {"ORCH_OUTPUT_ROOT": str(tmp_path), "ORCH_SIM_LATENCY_MS": "300"})
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    timing = ("--every", "1m", "--catchup", "10m", "--overlap", "buffer")
    try:
        made = installation.run(
            "schedule", "create", "every", *timing, "--file", "project.yaml", "--output-dir", "nightly/%H-%M", "--json"
        )
        assert made.code == 0, made.err
        wait_for(lambda: len(list(results.glob("*/summary.json"))) == 1)
        wait_for(lambda: len(list(installation.home.glob("artifacts/projects/*/*/view.json"))) == 2)  # the second runs
        for pid in (installation.server_pid(), installation.worker_pid()):
            assert pid is not None
            kill_process(pid)
        assert len(list(results.glob("*/summary.json"))) == 1
        restart(installation)
        wait_for(lambda: len(list(results.glob("*/summary.json"))) >= 3)
        view = installation.run("schedule", "show", "every", "--json").object
        ended = [run for run in view["runs"] if run["status"] == "SUCCESS"]
        assert len(ended) >= 3, view
        assert {run["sha256"] for run in ended} == {made.object["sha256"]}
        for number, run in enumerate(ended):
            folder = tmp_path / f"fetched-{number}"
            fetched = installation.run("export", run["batch_id"], "--output-dir", str(folder))
            assert fetched.code == 0, fetched.err
            assert (folder / "project" / "REPORT.md").is_file()
    finally:
        installation.close()
