"""Batches: window, shared budget, failures, pause and resume, cancel, continue-as-new, projects that are terminated."""

from orchestrator.contracts.project import ProjectSpec, ProjectStatus
from tests.workflow.batch_house import start_batch
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import Play, text_task


def projects(*keys: str, **changes: object) -> dict[str, ProjectSpec]:
    """Projects whose texts say their keys."""
    return {key: spec(project=f"Write {key}.", **changes) for key in keys}


async def test_a_batch_runs_its_projects_and_tells_what_came_of_them(opened: Opened) -> None:
    async with opened(Play(text_task("t1"))) as house:
        run = await start_batch(house, projects("a", "b", "c"), concurrency=2)
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS, view
    assert view.name == "nightly"
