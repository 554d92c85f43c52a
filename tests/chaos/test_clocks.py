"""The wall clock of the server or of the worker jumps in mid-run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.testing.project_script import ProjectScript, text_task
from orchestrator.testing.vendor_script import Reply, Rule
from tests.chaos.clock import jump, movable
from tests.chaos.harness import verify_any_moment
from tests.chaos.invariants import Harm, require
from tests.chaos.site import Project, Site

BUSY = Rule(stage="evaluate", first=1, reply=Reply(status=503))  # each model once: a wait comes after the jump too
JUMPS_S = (3600, -3600, 20, -20)
# Temporal never sets a timer before those that it has fired: after its clock went back by an hour, a wait takes one.
LONGEST_BACK_S = -60
CASES = [
    pytest.param(victim, seconds, marks=[pytest.mark.sample] if (victim, seconds) == ("server", 3600) else [])
    for victim in ("server", "worker", "both")
    for seconds in JUMPS_S
]

pytestmark = pytest.mark.skipif(bool(movable()), reason=movable())


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    tasks = tuple(text_task(number, *((number // 2,) if number > 1 else ())) for number in range(1, 7))
    rules = (BUSY,) if request.node.callspec.params["seconds"] >= LONGEST_BACK_S else ()
    script = ProjectScript(tasks=tasks, latency_ms=100.0, chunks=3, chunk_delay_ms=50.0, rules=rules)
    site = Site(tmp_path, script)  # of its own: its processes' clocks stay wrong
    started = site.project()
    try:
        yield started
    finally:
        started.close()
        site.close()


@pytest.mark.parametrize(("victim", "seconds"), CASES)
def test_a_clock_that_jumps(project: Project, victim: str, seconds: int) -> None:
    project.begin()
    project.wait_for("calls under way", lambda: bool(project.under_way("received", "generate")))
    worker, server = project.installation.worker_pid(), project.installation.server_pid()
    assert worker is not None and server is not None
    for pid in {"server": (server,), "worker": (worker,), "both": (server, worker)}[victim]:
        jump(pid, seconds)
    assert project.command is not None
    outcome = project.command.wait()
    result = verify_any_moment(project, outcome)
    require(result["uncertain_usd"] == 0, Harm.LOST, "a call that was under way was thrown away")
