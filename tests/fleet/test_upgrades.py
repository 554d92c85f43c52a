"""A rolling upgrade in the middle of a run: what began with a version of the code ends with it."""

import asyncio
import contextlib
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from orchestrator.client.batch_spec import plan_batch
from orchestrator.client.facade import OrchClient
from orchestrator.client.versions import VersionState, promote, worker_versions
from orchestrator.contracts.messages import ApprovePlan
from orchestrator.contracts.names import SIGNAL_PAUSE, SIGNAL_RESUME, batch_workflow_id, workflow_id
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.errors import UserInputError
from orchestrator.testing.project_script import ProjectScript, text_task
from orchestrator.testing.vendor_script import Reply, Rule
from tests.chaos.rig import project
from tests.fleet.conftest import NewFleet, NewVendors
from tests.fleet.fleet import Fleet

HELD_MS = 4000.0  # long enough to pause a project in its first call
_TASKS = (text_task(1), text_task(2, 1))
_BATCH = ("first", "second")


async def _who(run: "WorkflowHandle[Any, Any]") -> tuple[set[int], str]:
    """Processes that decided or acted, and the version that the run is bound to."""
    identities = set()
    async for event in run.fetch_history_events():
        if event.HasField("workflow_task_started_event_attributes"):
            identities.add(event.workflow_task_started_event_attributes.identity)
        elif event.HasField("activity_task_started_event_attributes"):
            identities.add(event.activity_task_started_event_attributes.identity)
    info = (await run.describe()).raw_description.workflow_execution_info.versioning_info
    return {int(identity.partition("@")[0]) for identity in identities}, info.deployment_version.build_id


async def _begun_batch(fleet: Fleet, client: Client) -> str:
    """A batch of two projects, one at a time, whose first one has begun and is paused. Its id."""
    for name in _BATCH:
        text = f"project: {name} text\ncriteria: It is there\nenhance: false\nadvise: false\nbudget: 1\n"
        (fleet.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    files = [fleet.folder / f"{name}.yaml" for name in _BATCH]
    facade = await OrchClient.connect(fleet.settings, lambda line: None)
    await facade.batches.start("night", plan_batch(files, fleet.settings, concurrency=1))
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(RPCError):
                first = client.get_workflow_handle(workflow_id(f"night-{_BATCH[0]}"))
                await first.signal(SIGNAL_PAUSE)
                return "night"
            await asyncio.sleep(0.05)


@pytest.mark.long
def test_workers_are_upgraded_in_the_middle_of_runs(new_fleet: NewFleet, new_vendors: NewVendors) -> None:
    script = ProjectScript(tasks=_TASKS)
    plan = Reply(text=script.plan().model_dump_json(), latency_ms=HELD_MS)
    script = script.model_copy(update={"rules": (Rule(reply=plan, stage="plan", contains=f"{_BATCH[0]} text"),)})
    fleet = new_fleet(**new_vendors(script).environment(("openai", "anthropic")))
    old = fleet.add("--build-id", "1")

    async def play() -> None:
        house = await fleet.house()
        old.wait()
        await promote(house.client, "1", "a test")
        before = await house.start(project(fleet.settings, vendor_queues=True, approve_plan=True))
        batch = house.client.get_workflow_handle(batch_workflow_id(await _begun_batch(fleet, house.client)))
        await before.until(lambda view: bool(view.awaits))
        new = await asyncio.to_thread(fleet.add("--build-id", "2").wait)
        await promote(house.client, "2", "a test")
        after = await house.start(project(fleet.settings, vendor_queues=True))
        await before.steer(ApprovePlan())
        for run, worker, build_id in ((before, old, "1"), (after, new, "2")):
            assert (await run.result(60)).status is ProjectStatus.SUCCESS
            assert await _who(run.handle) == ({worker.process.pid}, build_id)
        first, second = (house.client.get_workflow_handle(workflow_id(f"night-{name}")) for name in _BATCH)
        await first.signal(SIGNAL_RESUME)
        await batch.result()
        assert await _who(first) == ({old.process.pid}, "1"), "a project of a batch stays where it began"
        assert await _who(second) == ({new.process.pid}, "2"), "what had not begun, begins with the new version"
        assert await _who(batch) == ({old.process.pid, new.process.pid}, "2"), "a batch moves"
        states = {version.build_id: version.state for version in await worker_versions(house.client)}
        assert states == {"1": VersionState.DRAINING, "2": VersionState.CURRENT}

    asyncio.run(asyncio.wait_for(play(), 180))
    shown = fleet.run("worker", "versions", "--json").object["versions"]
    assert [(version["build_id"], version["state"]) for version in shown] == [("2", "current"), ("1", "draining")]


def test_a_version_that_has_no_worker_is_not_promoted(new_fleet: NewFleet) -> None:
    fleet = new_fleet()

    async def play() -> None:
        client = (await fleet.house()).client
        with pytest.raises(UserInputError, match="version '7' is not ready: no Worker Deployment found"):
            await promote(client, "7", "a test", patience_s=0)
        assert await worker_versions(client) == []

    asyncio.run(play())
