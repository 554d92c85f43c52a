"""Several worker processes with one store, killed and scaled while projects run: nothing is lost or paid twice."""

import asyncio
import itertools
import json
import random
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.catalog import load_catalog
from orchestrator.client.server import ServerInfo
from orchestrator.contracts.project import ProjectStatus, ProjectView, Timeouts
from orchestrator.testing.installation import VendorProcess
from orchestrator.testing.project_script import ProjectScript, text_task
from orchestrator.testing.vendor_records import log_billed_micro
from tests.chaos.harness import each_asked_once
from tests.chaos.invariants import Harm, counted_as, require
from tests.chaos.rig import project
from tests.fleet.fleet import Fleet
from tests.workflow.harness import House, Run

NewFleet = Callable[[str], Fleet]

STORES = ("folder", "bucket")
BUCKET = "fleet"
# A loaded machine must not take a busy worker for a dead one: an answer would then be paid for twice, as promised.
TIMEOUTS = Timeouts(heartbeat_s=8.0)
RUN_S = 170.0
AT_ONCE = 8  # projects, until the harm is over
_TASKS = tuple(text_task(number, *((number // 2,) if number > 1 else ())) for number in range(1, 6))
_numbers = itertools.count(1)


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[VendorProcess]:
    script = ProjectScript(tasks=_TASKS, latency_ms=400.0, chunks=3, chunk_delay_ms=50.0)
    started = VendorProcess(tmp_path, script.save(tmp_path / "script.py"))
    yield started
    started.close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket, for this process and those that it starts."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")).close()
    yield f"s3://{BUCKET}/orch"
    server.stop()


@pytest.fixture
def new_fleet(tmp_path: Path, server: ServerInfo, vendors: VendorProcess, s3: str) -> Iterator[NewFleet]:
    """Makes the fleet of a test, with its artifacts in a shared folder or in the bucket."""
    fleets: list[Fleet] = []

    def make(store: str) -> Fleet:
        url = s3 if store == "bucket" else (tmp_path / "shared").as_uri()
        keys = vendors.environment(("openai", "anthropic"))
        fleets.append(Fleet(tmp_path, server.address, f"chaos-{next(_numbers)}", {**keys, "ORCH_ARTIFACTS_URL": url}))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


async def _begin(house: House, fleet: Fleet, numbers: range) -> list[Run]:
    """Projects at once; their texts differ, so that no request of one is like one of another."""
    one = project(fleet.settings, vendor_queues=True, time_limit_s=3600.0).model_copy(update={"timeouts": TIMEOUTS})
    changes = [{"project_id": f"text-{n}", "project": f"Write text number {n}."} for n in numbers]
    return [await house.start(one.model_copy(update=change)) for change in changes]


async def _journal(store: ArtifactStore) -> list[dict[str, Any]]:
    entries = []
    for name in await store.list_named("journal"):
        data = await store.read_named(name)
        assert data is not None
        entries.append(json.loads(data))
    return entries


async def _judge(house: House, fleet: Fleet, vendors: VendorProcess, views: Sequence[ProjectView]) -> None:
    """What all runs together owe to the vendors, by what those counted."""
    for view in views:
        require(view.status is ProjectStatus.SUCCESS, Harm.WRONG_STATUS, f"{view.project_id}: {view.status}")
        done = [task for task in view.tasks if task.status == "COMPLETED"]
        require(len(done) == len(_TASKS), Harm.LOST, f"{view.project_id}: {len(done)} tasks")
    events = vendors.log.events()
    spent, uncertain = sum(view.spent_micro for view in views), sum(view.uncertain_micro for view in views)
    billed = log_billed_micro(events, load_catalog(fleet.settings))
    require(billed <= spent + uncertain, Harm.BOOKS, f"billed {billed}, booked {spent} + {uncertain}")
    require(uncertain > 0 or billed == spent, Harm.BOOKS, f"billed {billed}, spent {spent}")
    with counted_as(Harm.REPEATED):
        each_asked_once(events, await _journal(house.store), uncertain)


async def _until_asked(vendors: VendorProcess, requests: int) -> None:
    async with asyncio.timeout(RUN_S):
        while True:
            if sum(event["event"] == "received" for event in vendors.log.events()) >= requests:
                return
            await asyncio.sleep(0.02)


def test_a_worker_of_two_is_killed_with_the_artifacts_in_a_bucket(new_fleet: NewFleet, vendors: VendorProcess) -> None:
    fleet = new_fleet("bucket")
    killed, other = fleet.add(), fleet.add()
    for worker in (killed, other):
        worker.wait()

    async def play() -> None:
        house = await fleet.house()
        runs = await _begin(house, fleet, range(2))
        await _until_asked(vendors, 8)
        killed.process.rest()
        views = [await run.result(RUN_S) for run in runs]
        await _judge(house, fleet, vendors, views)

    asyncio.run(play())


@pytest.mark.parametrize("store", STORES)
def test_a_fleet_is_killed_and_scaled_in_mid_batch(
    new_fleet: NewFleet, vendors: VendorProcess, store: str, seed: int
) -> None:
    """One worker, then four, then two, then one, and all the while somebody is killed."""
    fleet, dice = new_fleet(store), random.Random(f"{seed} {store}")
    fleet.add().wait()

    async def scale(workers: int) -> None:
        while len(fleet.workers) < workers:
            fleet.add()
        while len(fleet.workers) > workers:
            await asyncio.to_thread(fleet.remove, dice.choice(fleet.workers))

    async def harm() -> None:
        for workers in (4, 4, 2, 1):
            await scale(workers)
            for _ in range(2):
                await asyncio.sleep(dice.uniform(0.5, 4.0))
                victim = dice.choice(fleet.workers).process
                if victim.pid is not None:
                    victim.kill()

    async def play() -> None:
        house = await fleet.house()
        results: list[asyncio.Task[ProjectView]] = []

        async def keep_busy() -> None:
            ended = sum(result.done() for result in results)
            runs = await _begin(house, fleet, range(len(results), AT_ONCE + ended))
            results.extend(asyncio.create_task(run.result(RUN_S)) for run in runs)

        await keep_busy()
        await _until_asked(vendors, 5)
        harmed = asyncio.create_task(harm())
        while not harmed.done():
            await asyncio.wait([harmed, *(one for one in results if not one.done())], return_when="FIRST_COMPLETED")
            await keep_busy()
        await harmed
        await _judge(house, fleet, vendors, await asyncio.gather(*results))

    asyncio.run(asyncio.wait_for(play(), 3 * RUN_S))
