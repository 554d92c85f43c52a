"""Pause, resume and cancel, through our command line and through Temporal's own."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.client.binary import find_temporal
from orchestrator.domain.money import micro
from orchestrator.testing.project_script import ProjectScript, chain, mixed12
from tests.e2e.theatre import Theatre, project_id

STOPS_WITHIN_S = 1.0
QUIET_S = 2.0


def signal_by_temporal(theatre: Theatre, run: str, name: str) -> None:
    """`temporal workflow signal`, without any input, as people type it."""
    binary = find_temporal(theatre.installation.settings, lambda line: None)
    where = ("--address", theatre.installation.temporal_address(), "--workflow-id", f"project-{run}")
    subprocess.run([str(binary), "workflow", "signal", *where, "--name", name], check=True, capture_output=True)


def signal_by_us(theatre: Theatre, run: str, name: str) -> None:
    outcome = theatre.installation.run(name, run, "--json")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("signal", [signal_by_temporal, signal_by_us], ids=["temporal", "orch-cli"])
def test_pause_and_resume(theatre: Theatre, signal: Callable[[Theatre, str, str], None]) -> None:
    theatre.play(ProjectScript(tasks=mixed12(), latency_ms=250).reply)
    command = theatre.begin("--concurrency", "12")
    run = project_id(command)
    theatre.wait_for(lambda: len(theatre.stage("critique")) >= 2)
    signal(theatre, run, "pause")
    paused_s = time.time()
    theatre.wait_for(lambda: all(record.ended_s for record in theatre.requests))
    asked = len(theatre.requests)
    with pytest.raises(TimeoutError):
        theatre.wait_for(lambda: len(theatre.requests) > asked, QUIET_S)
    assert max(record.started_s for record in theatre.requests) <= paused_s + STOPS_WITHIN_S
    assert all(record.complete for record in theatre.requests), "what was in flight was broken off"
    status = theatre.installation.run("status", run, "--json").object
    assert status["status"] == "PAUSED"
    signal(theatre, run, "resume")
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    assert outcome.object["uncertain_usd"] == 0
    assert micro(outcome.object["spent_usd"]) == theatre.billed_micro()


def test_cancel_keeps_what_was_done(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(12), latency_ms=300).reply)
    command = theatre.begin()
    run = project_id(command)
    theatre.wait_for(lambda: len(theatre.stage("generate")) >= 2)
    assert theatre.installation.run("cancel", run).code == 0
    outcome = command.wait()
    assert outcome.code == 8, outcome.err
    result = outcome.object
    assert result["status"] == "CANCELLED"
    assert result["tasks"][0]["status"] == "COMPLETED"
    assert (Path(result["output_dir"]) / "t01.txt").is_file()
    assert micro(result["spent_usd"]) + micro(result["uncertain_usd"]) >= theatre.billed_micro()
    assert len(theatre.stage("generate")) < 12
