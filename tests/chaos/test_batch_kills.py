"""kill -9 of worker, server or both, twice in a batch: every project ends as it would have, under the one budget."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.catalog import load_catalog
from orchestrator.domain.money import micro
from orchestrator.testing.installation import Installation, Installed, kill_process
from orchestrator.testing.project_script import ProjectScript, chain
from orchestrator.testing.vendor_records import billed_micro
from orchestrator.testing.vendor_server import FakeVendorServer

PROJECT = "project: Project {name}\ncriteria: It is done\nenhance: off\nadvise: false\n"
NAMES = ("one", "two", "three", "four")


@pytest.fixture
def vendors() -> Iterator[FakeVendorServer]:
    with FakeVendorServer(ProjectScript(tasks=chain(2), latency_ms=200).reply) as server:
        yield server


@pytest.fixture
def installation(tmp_path: Path, vendors: FakeVendorServer, installed: Installed) -> Iterator[Installation]:
    opened = installed(tmp_path, vendors.environment())
    try:
        yield opened
    finally:
        opened.close()


def kill(installation: Installation, victim: str) -> None:
    """kill -9 of what runs of it."""
    pids = {"worker": [installation.worker_pid()], "server": [installation.server_pid()]}
    for pid in pids.get(victim, [*pids["worker"], *pids["server"]]):
        if pid is not None:
            kill_process(pid)


@pytest.mark.embedded
@pytest.mark.parametrize("victim", ["worker", "server", "both"])
def test_a_batch_survives(installation: Installation, vendors: FakeVendorServer, victim: str) -> None:
    for name in NAMES:
        (installation.folder / f"{name}.yaml").write_text(PROJECT.format(name=name), encoding="utf-8")
    command = installation.begin(
        "batch", "run", *(f"{name}.yaml" for name in NAMES), "--concurrency", "2", "--budget", "8", "--json"
    )
    for requests in (5, 30):
        vendors.wait_for(lambda server: len(server.requests) >= requests, 120.0)  # noqa: B023
        kill(installation, victim)
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    batch = outcome.object
    assert [one["status"] for one in batch["projects"]] == ["SUCCESS"] * 4
    assert [one["tasks_done"] for one in batch["projects"]] == [2] * 4
    billed = billed_micro(vendors.requests, load_catalog(installation.settings))
    assert micro(batch["spent_usd"]) <= billed <= micro(batch["spent_usd"]) + micro(batch["uncertain_usd"])
    assert batch["spent_usd"] + batch["uncertain_usd"] <= batch["max_usd"]
    answered = [record for record in vendors.requests if record.complete and record.request.stage == "generate"]
    assert len({record.request.prompt for record in answered}) == 2 * 4
