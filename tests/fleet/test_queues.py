"""Processes that serve a part of the queues, and limits that hold for all of them together."""

import asyncio
from collections import defaultdict

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.polled import polled_vendors
from orchestrator.contracts.names import QUEUE_TOOLS, QUEUE_WORKFLOWS, vendor_queue
from orchestrator.contracts.project import ProjectStatus
from orchestrator.testing.project_script import ProjectScript, wide
from tests.chaos.rig import project
from tests.fleet.conftest import NewFleet, NewVendors
from tests.workflow.harness import Run

LIMIT = 8.0  # requests per second
BURST_S = 1.25  # what may come at once, in seconds of the limit: the server saves one second's worth


async def _served(run: Run) -> dict[str, set[int]]:
    """Processes that took work, by queue."""
    queues: dict[int, str] = {}
    served: dict[str, set[int]] = defaultdict(set)
    async for event in run.handle.fetch_history_events():
        if event.HasField("workflow_task_started_event_attributes"):
            identity = event.workflow_task_started_event_attributes.identity
            served[QUEUE_WORKFLOWS].add(int(identity.partition("@")[0]))
        elif event.HasField("activity_task_scheduled_event_attributes"):
            queues[event.event_id] = event.activity_task_scheduled_event_attributes.task_queue.name
        elif event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            served[queues[started.scheduled_event_id]].add(int(started.identity.partition("@")[0]))
    return dict(served)


def _most_within(times: list[float], window_s: float) -> int:
    return max(sum(start <= time < start + window_s for time in times) for start in times)


def test_parts_are_served_apart_and_a_vendor_is_limited(new_fleet: NewFleet, new_vendors: NewVendors) -> None:
    vendors = new_vendors(ProjectScript(tasks=wide(14)))
    keys = {**vendors.environment(("openai", "anthropic")), "ORCH_RATE_LIMITS": f"openai={LIMIT:g}/s"}
    fleet = new_fleet()  # without a key
    thinking = fleet.add("--queues", "workflows")
    doing = fleet.add("--queues", "tools")
    asking = [fleet.add("--queues", "models:openai", **keys), fleet.add("--queues", "models", **keys)]
    for worker in fleet.workers:
        worker.wait()
    settings = new_fleet(**keys).settings

    async def play() -> dict[str, set[int]]:
        house = await fleet.house()
        run = await house.start(project(settings, vendor_queues=True, team="blue"))
        view = await run.result(90)
        assert (view.status, view.simulated) == (ProjectStatus.SUCCESS, False)
        return await _served(run)

    served = asyncio.run(play())
    both = {worker.process.pid for worker in asking}
    assert served[QUEUE_WORKFLOWS] == {thinking.process.pid}
    assert served[QUEUE_TOOLS] == {doing.process.pid}
    assert served[vendor_queue("openai")] == both, "two processes share one vendor's queue"
    assert served[vendor_queue("anthropic")] == {asking[1].process.pid}
    received = [event for event in vendors.log.events() if event["event"] == "received"]
    times = [event["started_s"] for event in received if event["vendor"] == "openai"]
    assert len(times) >= 3 * LIMIT, "too few requests to tell"
    for window_s in (0.5, 1.0, 2.0, 4.0):
        assert _most_within(times, window_s) <= LIMIT * (window_s + BURST_S), f"within {window_s} s"


@pytest.mark.parametrize(
    ("queues", "limits", "said"),
    [
        ("models:openai", "", "this worker is to ask models of 'openai', but cannot: "),
        ("models:simulated", "opnai=5/s", "ORCH_RATE_LIMITS: there is no vendor opnai"),
    ],
)
def test_what_a_worker_cannot_serve_is_said(new_fleet: NewFleet, queues: str, limits: str, said: str) -> None:
    outcome = new_fleet(ORCH_RATE_LIMITS=limits).run("worker", "run", "--queues", queues)
    assert outcome.code == 2
    assert said in outcome.err.splitlines()[-1], outcome.err


@activity.defn
async def _idle() -> None:
    """Something to serve."""


def test_vendors_count_whose_queue_somebody_polls(new_fleet: NewFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = new_fleet()
    queues = {vendor: vendor_queue(vendor) for vendor in ("openai", "anthropic", "google")}

    async def play() -> None:
        client = (await fleet.house()).client
        inside = ActivityEnvironment(client)
        waiting = asyncio.create_task(inside.run(polled_vendors, queues, ()))
        async with Worker(client, task_queue=queues["google"], activities=[_idle]):
            assert await waiting == ("google",), "a worker that comes a little later is waited for"
            assert await inside.run(polled_vendors, queues, ("openai",)) == ("openai", "google")
        monkeypatch.setattr("activities.polled.PATIENCE_S", 0.0)
        assert await inside.run(polled_vendors, {"other": vendor_queue("other")}, ()) == ()

    asyncio.run(asyncio.wait_for(play(), 60))
