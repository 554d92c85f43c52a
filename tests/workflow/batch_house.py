"""Batches of the real workflow, in a house of `tests.workflow.harness`."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from orchestrator.contracts import names
from orchestrator.contracts.batch import (
    BatchInput,
    BatchManifest,
    BatchProjectView,
    BatchSpec,
    BatchView,
    ManifestEntry,
)
from orchestrator.contracts.messages import UPDATES, Request
from orchestrator.contracts.project import ProjectSpec, ProjectView, Timeouts
from orchestrator.domain.refs import blob_ref
from tests.workflow.harness import POLL_S, House
from tests.workflow.play import DEADLINE_S

_numbers = itertools.count(1)


class BatchRun:
    """One batch under way."""

    def __init__(self, handle: WorkflowHandle[Any, Any], client: Client) -> None:
        self.handle = handle
        self.id = handle.id.removeprefix(names.batch_workflow_id(""))
        self._client = client

    async def view(self) -> BatchView:
        """The batch as it is now."""
        view: BatchView = await self.handle.query(names.QUERY_STATUS, result_type=BatchView)
        return view

    async def until(self, condition: Callable[[BatchView], bool]) -> BatchView:
        """Ask for the status until the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                view = await self.view()
                if condition(view):
                    return view
                await asyncio.sleep(POLL_S)

    async def signal(self, name: str, *arguments: Any) -> None:
        """Send a signal."""
        await self.handle.signal(name, args=list(arguments))

    async def steer(self, request: Request) -> str:
        """What the batch answers to an operator. Raises WorkflowUpdateFailedError where it refuses."""
        done: str = await self.handle.execute_update(UPDATES[type(request)], request, result_type=str)
        return done

    async def result(self) -> BatchView:
        """The result, whose books must balance. Raises TimeoutError."""
        view: BatchView = await asyncio.wait_for(self.handle.result(), DEADLINE_S)
        assert view.spent_micro == sum(one.spent_micro for one in view.projects)
        assert view.uncertain_micro == sum(one.uncertain_micro for one in view.projects)
        assert view.spent_micro + view.uncertain_micro <= view.max_micro
        assert (view.reserved_micro, view.projects_done) == (0, view.projects_total)
        return view

    def project(self, key: str) -> WorkflowHandle[Any, ProjectView]:
        """The run of one of its projects."""
        project_id = f"{self.id}-{key}"
        return self._client.get_workflow_handle(names.workflow_id(project_id), result_type=ProjectView)

    async def histories(self) -> list[WorkflowHistory]:
        """The histories of all executions, from the first to the last."""
        run_id = self.handle.first_execution_run_id or (await self.handle.describe()).run_id
        found = []
        while run_id:
            history = await self._client.get_workflow_handle(self.handle.id, run_id=run_id).fetch_history()
            found.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return found


async def start_batch(house: House, projects: dict[str, ProjectSpec], *, lost: str = "", **changes: Any) -> BatchRun:
    """Start a batch of these projects by key, with enough money unless told otherwise; the store has lost one."""
    entries = [
        ManifestEntry(
            key=key,
            title=project.project,
            file=f"{key}.yaml",
            max_micro=project.max_micro,
            spec=blob_ref(b"lost") if key == lost else await house.store.put(project.model_dump_json().encode()),
        )
        for key, project in projects.items()
    ]
    manifest = BatchManifest(name="nightly", projects=tuple(entries))
    given = BatchSpec(
        manifest=await house.store.put(manifest.model_dump_json().encode()),
        name=manifest.name,
        max_micro=100_000_000,
        concurrency=4,
        timeouts=Timeouts(heartbeat_s=2.0),
    ).model_copy(update=changes)
    handle = await house.client.start_workflow(
        names.BATCH_WORKFLOW,
        BatchInput(spec=given),
        id=names.batch_workflow_id(f"b{next(_numbers):03d}"),
        task_queue=names.QUEUE_WORKFLOWS,
        result_type=BatchView,
    )
    run = BatchRun(handle, house.client)
    house.adopt(handle)
    return run


def by_key(view: BatchView) -> dict[str, BatchProjectView]:
    """The projects of a view."""
    return {one.key: one for one in view.projects}
