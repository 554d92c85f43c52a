"""A run that somebody terminated: what it had sent since its state was stored counts against the next one's cap."""

import asyncio
import json
import random

import pytest

from orchestrator.client.server import ServerInfo
from orchestrator.testing.project_script import ProjectScript
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.chaos.conftest import Configured
from tests.chaos.invariants import books, invariants
from tests.chaos.rig import RUN_S, VENDORS, json_task, project, rig
from tests.chaos.vendor_faults import FaultyVendors, every_vendor
from tests.workflow.harness import POLL_S, House

TASKS = 6
CAPS_MICRO = (400_000, 700_000, 1_200_000)
MOMENTS = (4, 14)  # requests that have arrived
LATENCY_MS = 60
WAIT_S = 30.0
CASES = [
    pytest.param(number, settled, marks=[pytest.mark.sample] if (number, settled) == (1, True) else [])
    for number in range(6)
    for settled in (True, False)
]


@pytest.mark.parametrize(("number", "settled"), CASES)
async def test_a_terminated_run_goes_on_within_its_cap(
    number: int, settled: bool, configured: Configured, server: ServerInfo, seed: int
) -> None:
    """Every answer costs as much as it may, and tasks that were side by side go on one after the other.

    `settled`: the journal knows what came of all that was in flight before the run goes on.
    """
    moment = random.Random(f"{seed} {number} {settled}").randint(*MOMENTS)
    script = ProjectScript(tasks=tuple(json_task(n) for n in range(1, TASKS + 1)), latency_ms=LATENCY_MS)
    scripted = FaultyVendors(script, every_vendor(""), dear=True)
    with FakeVendorServer(scripted) as vendors:
        settings = configured(**vendors.environment(VENDORS))
        async with rig(settings, server) as house:
            given = project(settings, max_micro=CAPS_MICRO[number % len(CAPS_MICRO)])
            run = await house.start(given)
            await asyncio.to_thread(vendors.wait_for, lambda server: len(server.requests) >= moment, WAIT_S)
            await run.handle.terminate("by hand")
            if settled:
                await _settled(house, run.id)
            again = await house.resume(run, given, concurrency=1)
            view, records = await again.result(RUN_S), await again.records()
            if settled:
                await invariants(scripted, vendors.requests, given.models, view, records, house.store)
            else:
                books(scripted, vendors.requests, given.models, view, records)


async def _settled(house: House, project_id: str) -> None:
    """Until the worker, which goes on without the run, has recorded every outcome."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if "intent" not in await _states(house, project_id):
                return
            await asyncio.sleep(POLL_S)


async def _states(house: House, project_id: str) -> list[str]:
    names = await house.store.list_named(f"journal/default/{project_id}")
    return [json.loads(data)["state"] for name in names if (data := await house.store.read_named(name))]
