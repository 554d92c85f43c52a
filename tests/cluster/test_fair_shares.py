"""Whose work comes first while a vendor is limited: a person's before a batch's, and teams take turns."""

import asyncio
from pathlib import Path

from temporalio.client import WorkflowHandle

from orchestrator.client.urgency import urgency
from orchestrator.contracts.names import PROJECT_WORKFLOW, QUEUE_WORKFLOWS, workflow_id
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.contracts.state import ProjectInput
from orchestrator.testing.installation import VendorProcess
from orchestrator.testing.project_script import ProjectScript, wide
from tests.chaos.rig import project
from tests.cluster.server import Cluster
from tests.fleet.fleet import Fleet
from tests.workflow.harness import House

LIMIT = "openai=6/s"
LONGEST_S = 150.0


async def _start(
    house: House, fleet: Fleet, name: str, team: str, *, attended: bool
) -> WorkflowHandle[object, ProjectView]:
    spec = project(fleet.settings, vendor_queues=True, team=team, time_limit_s=600.0)
    return await house.client.start_workflow(
        PROJECT_WORKFLOW,
        ProjectInput(spec=spec.model_copy(update={"project_id": name, "concurrency": 8})),
        id=workflow_id(name),
        task_queue=QUEUE_WORKFLOWS,
        priority=urgency(team, attended=attended),
        result_type=ProjectView,
    )


def test_a_person_comes_first_and_teams_take_turns(cluster: Cluster, tmp_path: Path) -> None:
    vendors = VendorProcess(tmp_path, ProjectScript(tasks=wide(6)).save(tmp_path / "script.py"))
    fleet = Fleet(tmp_path, cluster.address, "fair", {**vendors.environment(("openai",)), "ORCH_RATE_LIMITS": LIMIT})
    ended: list[str] = []

    async def play() -> None:
        house = await fleet.house()
        runs: dict[str, WorkflowHandle[object, ProjectView]] = {}

        async def follow(name: str) -> None:
            view = await runs[name].result()
            assert view.status is ProjectStatus.SUCCESS, f"{name}: {view.status}"
            ended.append(name)

        async def begin(name: str, team: str, *, attended: bool) -> None:
            runs[name] = await _start(house, fleet, name, team, attended=attended)
            following.create_task(follow(name))

        async with asyncio.TaskGroup() as following:
            for number in (1, 2, 3, 4):
                await begin(f"blue-{number}", "blue", attended=False)
            await asyncio.sleep(4.0)  # they are well under way, and more of their calls wait than go through
            await begin("red", "red", attended=False)
            await asyncio.sleep(2.0)
            await begin("person", "blue", attended=True)

    try:
        fleet.add().wait()
        asyncio.run(asyncio.wait_for(play(), LONGEST_S))
    finally:
        fleet.close()
        vendors.close()
    assert ended.index("person") < ended.index("red"), f"the person waited for a batch: {ended}"
    assert ended.index("red") < len(ended) - 1, f"the team with one project was served last: {ended}"
