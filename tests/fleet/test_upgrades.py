"""A rolling upgrade in the middle of a run: what began with a version of the code ends with it."""

import asyncio

import pytest
from temporalio.client import WorkflowHandle

from orchestrator.client.versions import VersionState, promote, worker_versions
from orchestrator.contracts.messages import ApprovePlan
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.errors import UserInputError
from orchestrator.testing.project_script import ProjectScript, text_task
from tests.chaos.rig import project
from tests.fleet.conftest import NewFleet, NewVendors

_TASKS = (text_task(1), text_task(2, 1))


async def _who(run: "WorkflowHandle[object, object]") -> tuple[set[int], str]:
    """Processes that decided or acted, and the version that the run is bound to."""
    identities = set()
    async for event in run.fetch_history_events():
        if event.HasField("workflow_task_started_event_attributes"):
            identities.add(event.workflow_task_started_event_attributes.identity)
        elif event.HasField("activity_task_started_event_attributes"):
            identities.add(event.activity_task_started_event_attributes.identity)
    info = (await run.describe()).raw_description.workflow_execution_info.versioning_info
    return {int(identity.partition("@")[0]) for identity in identities}, info.deployment_version.build_id


def test_workers_are_upgraded_in_the_middle_of_a_run(new_fleet: NewFleet, new_vendors: NewVendors) -> None:
    fleet = new_fleet(**new_vendors(ProjectScript(tasks=_TASKS)).environment(("openai", "anthropic")))
    old = fleet.add("--build-id", "1")

    async def play() -> None:
        house = await fleet.house()
        old.wait()
        await promote(house.client, "1", "a test")
        before = await house.start(project(fleet.settings, vendor_queues=True, approve_plan=True))
        await before.until(lambda view: bool(view.awaits))
        new = await asyncio.to_thread(fleet.add("--build-id", "2").wait)
        await promote(house.client, "2", "a test")
        after = await house.start(project(fleet.settings, vendor_queues=True))
        await before.steer(ApprovePlan())
        for run, worker, build_id in ((before, old, "1"), (after, new, "2")):
            assert (await run.result(60)).status is ProjectStatus.SUCCESS
            assert await _who(run.handle) == ({worker.process.pid}, build_id)
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
