"""Reading runs: queries while they run, the result or the published state once they are closed."""

from collections.abc import Callable
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.runs import RunKind, Runs, ended, facts
from orchestrator.client.stored import StoredRuns
from orchestrator.contracts.names import (
    MEMO_BATCH,
    MEMO_FINGERPRINT,
    MEMO_KEYWORDS,
    MEMO_MAX_USD,
    MEMO_PROJECT,
    PROJECT_WORKFLOW,
    QUERY_BUDGET,
    QUERY_PLAN,
    QUERY_SUGGESTIONS,
    QUERY_TASKS,
    workflow_id,
)
from orchestrator.contracts.project import BudgetView, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.state import ProjectState, budget_view
from orchestrator.domain.answers import PlannedTask, Suggestion
from orchestrator.domain.base import Frozen
from orchestrator.domain.enhancing import Enhancement
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.money import micro
from orchestrator.domain.tasks import TaskSpec

TASKS_PER_PAGE = 200

_PROJECTS = RunKind(PROJECT_WORKFLOW, workflow_id, ProjectView, "project", "orch-cli list")


class ProjectRow(Frozen):
    """One run in a list. Times are seconds since the epoch; `project` is the first line of the text.

    `status` is RUNNING or COMPLETED where the namespace knows no more.
    """

    project_id: str
    status: str
    started_s: float
    closed_s: float | None
    project: str
    spent_usd: float
    tasks_done: int
    tasks_total: int
    fingerprint: str = ""  # of project text and criteria
    keywords: str = ""
    batch: str = ""  # the id of the batch that started it


class ProjectRuns(Runs[ProjectView]):
    """Runs of projects. The view of one that was broken off is its last published state."""

    def __init__(self, client: Callable[[], Client], store: ArtifactStore) -> None:
        self.stored = StoredRuns(store, client().namespace)
        super().__init__(_PROJECTS, client, self.stored)

    async def budget(self, project_id: str) -> BudgetView:
        """Money and time of the run, or as they were when it ended."""
        running: BudgetView | None = await self.ask_running(project_id, QUERY_BUDGET, BudgetView)
        if running is not None:
            return running
        return budget_view(await self._state(project_id), 0, (await self.view(project_id)).elapsed_s)

    async def plan(self, project_id: str) -> tuple[PlannedTask, ...]:
        """The plan with its instructions; empty before there is one."""
        specs: list[TaskSpec] | None = await self.ask_running(project_id, QUERY_PLAN, list[TaskSpec])
        if specs is None:
            specs = list((await self._state(project_id)).plan)
        return await self.stored.planned(specs)

    async def suggestions(self, project_id: str) -> dict[str, Suggestion]:
        """Suggestions that wait for a choice, by id; empty where none do."""
        found: Enhancement | None = await self.ask_running(project_id, QUERY_SUGGESTIONS, Enhancement | None)
        if found is None or found.chosen is not None or found.texts is None:
            return {}
        texts = await self.stored.suggestions(found.texts)
        return {known.id: text for known, text in zip(found.suggestions, texts, strict=True)}

    async def _state(self, project_id: str) -> ProjectState:
        state = await self.stored.state(project_id)
        if state is None:
            raise UserInputError(f"project {project_id} ended before it stored anything")
        return state

    async def rows(self, limit: int) -> list[ProjectRow]:
        """The latest runs, one row per project, running ones first."""
        return [await self._row(run) for run in await self.executions(limit)]

    async def row(self, project_id: str) -> ProjectRow | None:
        """The latest run of one project; None where there is no such project."""
        try:
            return await self._row(await self.describe(project_id))
        except UserInputError:
            return None

    async def _running(self, run_id: str) -> ProjectView:
        head = await super()._running(run_id)
        pages = range(-(-head.tasks_total // TASKS_PER_PAGE))
        tasks: list[TaskView] = []
        for page in pages:
            tasks += await self._query(run_id, QUERY_TASKS, page, list[TaskView])
        return head.model_copy(update={"tasks": tuple(tasks)})

    async def _broken_off(self, run_id: str, run: WorkflowExecutionDescription, reason: str) -> ProjectView:
        """A run that was terminated or failed: its last published state, and how it ended."""
        last = await self.stored.view(run_id) or await self._empty(run_id, run)
        return last.model_copy(
            update={
                "status": ended(run.status),
                "reason": reason,
                # Nobody will settle the calls that were in flight: their fate is unknown.
                "uncertain_micro": last.uncertain_micro + last.reserved_micro,
                "reserved_micro": 0,
                "elapsed_s": _elapsed_s(run),
                "tasks": tuple(_stopped(task) for task in last.tasks),
            }
        )

    async def _empty(self, project_id: str, run: WorkflowExecutionDescription) -> ProjectView:
        return ProjectView(
            project_id=project_id,
            workflow_id=run.id,
            status=ProjectStatus.SYSTEM_FAILURE,
            spent_micro=0,
            uncertain_micro=0,
            reserved_micro=0,
            max_micro=micro(await run.memo_value(MEMO_MAX_USD, 0.0, type_hint=float)),
            quality_score=None,
            calls=0,
            elapsed_s=0.0,
            simulated=False,
        )

    async def _row(self, run: WorkflowExecution) -> ProjectRow:
        known = facts(run)
        return ProjectRow(
            project_id=self.kind.run_id(run),
            status=known.status,
            started_s=known.started_s,
            closed_s=known.closed_s,
            project=await run.memo_value(MEMO_PROJECT, "", type_hint=str),
            spent_usd=known.spent_usd,
            tasks_done=known.done,
            tasks_total=known.total,
            fingerprint=await run.memo_value(MEMO_FINGERPRINT, "", type_hint=str),
            keywords=await run.memo_value(MEMO_KEYWORDS, "", type_hint=str),
            batch=await run.memo_value(MEMO_BATCH, "", type_hint=str),
        )


def _stopped(task: TaskView) -> TaskView:
    return task.model_copy(update={"status": "PENDING", "stage": ""}) if task.status == "RUNNING" else task


def _elapsed_s(run: WorkflowExecution) -> float:
    return ((run.close_time or datetime.now(UTC)) - run.start_time).total_seconds()
