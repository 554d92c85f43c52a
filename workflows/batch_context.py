"""What every part of a batch shares: its memory, and which projects are about to start."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.batch import BatchMemory, BatchSpec, project_id_of
    from orchestrator.contracts.names import batch_workflow_id
    from orchestrator.domain.batch import BatchProject, BatchState, ProjectEnd, Wish, ended, started
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus

from workflows.driven_context import DrivenContext


class BatchContext(DrivenContext):
    """One batch's memory and the rules of when a project may start."""

    spec: BatchSpec
    state: BatchMemory

    def __init__(self, spec: BatchSpec, state: BatchMemory) -> None:
        super().__init__(workflow.info().workflow_id.removeprefix(batch_workflow_id("")))
        self.spec = spec
        self.state = state
        self.starting: dict[str, asyncio.Task[None]] = {}  # projects that the server does not know yet
        self.shown: tuple[object, ...] = ()  # by the search attributes
        self.suspects: dict[str, None] = {}  # projects that closed and have not said how they ended

    @property
    def progress(self) -> BatchState:
        """Where the batch stands; only once it is opened."""
        assert self.state.progress is not None
        return self.state.progress

    @property
    def wish(self) -> Wish:
        """What running projects should do."""
        if self.state.stopped is not None:
            return Wish.CANCEL
        return Wish.PAUSE if self.paused else Wish.GO_ON

    def project_id(self, key: str) -> str:
        return project_id_of(self.run_id, key)

    def begin(self, project: BatchProject, start: Coroutine[Any, Any, None]) -> None:
        """Set a project's money aside, from now on it counts as running; `start` makes that true."""
        self.state.progress = started(self.progress, project, self.now_s())
        self.starting[project.key] = asyncio.create_task(start)
        self.emit("project_started", f"started, up to ${usd(project.max_micro):.2f}", project.key)

    def book(self, end: ProjectEnd) -> None:
        """Take note of a project's end, once."""
        if self.state.progress is None:
            return
        before = self.progress
        self.state.progress = ended(before, end)
        if self.progress is before:
            return
        self.state.told.pop(end.key, None)
        self.suspects.pop(end.key, None)
        self.revision += 1
        spent = f"${usd(end.spent_micro + end.uncertain_micro):.4f}"
        detail = f": {end.reason}" if end.reason else ""
        self.emit("project_ended", f"{end.status.value}, {spent}{detail}", end.key)

    def fail(self, key: str, reason: str, status: ProjectStatus = ProjectStatus.SYSTEM_FAILURE) -> None:
        """A project that could not be started, or was not to be any more."""
        self.book(ProjectEnd(key=key, status=status, reason=reason[:200]))

    def watch(self, key: str, project: "workflow.ChildWorkflowHandle[Any, Any]") -> None:
        """Suspect a project that closes without having said how it ended."""

        def closed(run: asyncio.Future[Any]) -> None:
            if not run.cancelled() and (key in self.progress.running or run.exception()):
                self.suspects[key] = None

        project.add_done_callback(closed)
