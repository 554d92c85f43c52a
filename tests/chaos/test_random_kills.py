"""kill -9 of each kind of process at moments that nobody chose; SIGTERM of a worker."""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from orchestrator.testing.project_script import ProjectScript, text_task
from tests.chaos.harness import verify_any_moment
from tests.chaos.site import Project, Sites

VICTIMS = ("worker", "server", "both", "command")
KILLS = int(os.environ.get("CHAOS_KILLS", "20"))  # per kind
SAMPLED = [("server", 0)]
TASKS = tuple(text_task(number, *((number // 2,) if number > 1 else ())) for number in range(1, 7))
SCRIPT = ProjectScript(tasks=TASKS, latency_ms=100.0, chunks=3, chunk_delay_ms=50.0)
LONGEST_S = 4.0  # about as long as the run takes from its first request on
CASES = [
    pytest.param(victim, number, marks=[pytest.mark.sample] if (victim, number) in SAMPLED else [])
    for victim in VICTIMS
    for number in range(KILLS)
]


@pytest.fixture
def project(sites: Sites) -> Iterator[Project]:
    with sites.project(SCRIPT) as started:
        yield started


def _first_request(project: Project) -> None:
    project.begin()
    project.wait_for("the first request", lambda: bool(project.received()))


@pytest.mark.parametrize(("victim", "number"), CASES)
def test_a_kill_at_a_random_moment(project: Project, victim: str, number: int, seed: int) -> None:
    moment_s = random.Random(f"{seed} {victim} {number}").uniform(0, LONGEST_S)
    _first_request(project)
    assert project.command is not None
    deadline = time.monotonic() + moment_s
    while time.monotonic() < deadline and project.command.process.poll() is None:
        time.sleep(0.005)
    if project.command.process.poll() is None:
        project.kill(victim)
        outcome = project.finish(victim, "random")
    else:
        outcome = project.command.wait()
    verify_any_moment(project, outcome)


@pytest.mark.sample
def test_a_worker_that_is_told_to_stop_finishes_what_is_being_paid_for(project: Project) -> None:
    _first_request(project)
    project.wait_for("calls under way", lambda: bool(project.under_way("received", "generate")))
    worker = project.installation.worker_pid()
    assert worker is not None
    os.kill(worker, signal.SIGTERM)
    assert project.command is not None
    outcome = project.command.wait()
    result = verify_any_moment(project, outcome)
    assert result["uncertain_usd"] == 0, "a call that was under way was thrown away"
