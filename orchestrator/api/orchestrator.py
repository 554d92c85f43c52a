"""`Orchestrator`: projects from Python, over the same runs as the command line."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from orchestrator.api.events import ProjectEvent, ProjectEventBus
from orchestrator.api.forecasting import CostPredictor, ExecutionPlan, levels_of, report_of
from orchestrator.api.happenings import Translator, happenings
from orchestrator.api.hooks import EventType, Hook, HookRegistry
from orchestrator.api.optimization import OptimizationBackend, routing_of
from orchestrator.api.states import state_of
from orchestrator.api.track_record import TrackRecord
from orchestrator.api.values import Budget, JobSpec, ProjectState, Task, task_of
from orchestrator.catalog import ROUTING, load_catalog
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.facade import OrchClient
from orchestrator.client.pipelines import PipelineOutput
from orchestrator.client.resuming import RESUMABLE, ResumeChanges
from orchestrator.client.spec import (
    DEFAULT_CONCURRENCY,
    ProjectRequest,
    build_spec,
    new_project_id,
    parse_concurrency,
    parse_project_id,
    parse_text,
)
from orchestrator.client.usable import models_here
from orchestrator.contracts.project import Event, ProjectSpec, ProjectStatus, ProjectView
from orchestrator.domain.apps import ArchitectureWishes
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import micro, usd
from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.settings import Settings, load_settings

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Orchestrator:
    """Runs projects, one at a time for each instance, each within `budget`.

    `max_concurrency`, `max_parallel_tasks`: tasks at a time (both bound it). Models, keys and the Temporal server are
    those of the environment, as for the command line. Runs go on without this process: one that is called again with
    its `project_id` is gone on with.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        max_concurrency: int | None = None,
        max_parallel_tasks: int | None = None,
        cost_predictor: CostPredictor | None = None,
        optimization_backend: OptimizationBackend | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._budget = budget or Budget()
        given = [number for number in (max_concurrency, max_parallel_tasks) if number is not None]
        self._concurrency = _checked(parse_concurrency, str(min(given)) if given else DEFAULT_CONCURRENCY)
        self.cost_predictor = cost_predictor or CostPredictor()
        self._backend = optimization_backend
        self._given_settings = settings
        self._hooks = HookRegistry()
        self._bus = ProjectEventBus()
        self._track = TrackRecord()

    def set_optimization_backend(self, backend: OptimizationBackend | None) -> None:
        """Who orders the models of the next runs; None: the tables of the catalog."""
        self._backend = backend

    def add_hook(self, event: EventType | str, callback: Hook) -> None:
        """Call `callback` at every `event`, with keyword arguments; what it raises is logged."""
        self._hooks.add(event, callback)

    def get_event_bus(self) -> ProjectEventBus:
        """The typed events of the latest run."""
        return self._bus

    async def run_project(self, project_description: str, success_criteria: str, project_id: str = "") -> ProjectState:
        """Run a project to its end. A project of this id that exists is followed, resumed, or its result is given.

        Raises UserInputError for what cannot be used, PrerequisiteError where Temporal or the worker is missing.
        """
        job = JobSpec(
            project_description=project_description,
            success_criteria=success_criteria,
            budget=self._budget,
            project_id=project_id,
        )
        return await self.run_job(job)

    async def run_job(self, job: JobSpec) -> ProjectState:
        """Run a job to its end, within its own budget. Raises like run_project."""
        self._bus.begin()
        try:
            spec = self._spec(job)
            client = await OrchClient.connect(self._settings, logger.info)
            await self._begin(client, spec, chosen=bool(job.project_id))
            return await self._follow(client, spec)
        finally:
            await self._bus.end()

    async def run_pipeline(
        self, pipeline: Pipeline | PipelineSpec, inputs: Mapping[str, JsonValue] | None = None, *, mock: bool = False
    ) -> PipelineOutput:
        """Run a pipeline (docs/pipelines.md) to its end; this budget holds where it states none. `mock`: asks no model.

        A step that fails is a result. Raises UserInputError where pipeline, inputs or a model will not do,
        PrerequisiteError where Temporal or the worker is missing.
        """
        client = await OrchClient.connect(self._settings, logger.info)
        cap_micro = None if pipeline.budget is not None else micro(self._budget.max_usd)
        return await client.run_pipeline(pipeline, inputs or {}, max_micro=cap_micro, mock=mock)

    async def run_project_streaming(
        self, project_description: str, success_criteria: str, project_id: str = ""
    ) -> AsyncIterator[ProjectEvent]:
        """The events of a run as they happen, to its end; the run goes on without a reader. Raises like run_project."""
        run = asyncio.create_task(self.run_project(project_description, success_criteria, project_id))
        await asyncio.sleep(0)  # the run begins: what is subscribed to is its own
        try:
            async for event in self._bus.subscribe():
                yield event
            await run
        finally:
            run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run

    async def export(self, project_id: str, output_dir: str | Path) -> Path:
        """Write what a run published to a folder, whole or not at all. Raises UserInputError where that cannot be."""
        client = await OrchClient.connect(self._settings, logger.info)
        return await client.export(await client.view(project_id), absolute(output_dir))

    async def dry_run(self, project_description: str, success_criteria: str) -> ExecutionPlan:
        """Pay for the plan of a project, and say what carrying it out would cost. Raises like run_project."""
        job = JobSpec(project_description=project_description, success_criteria=success_criteria, budget=self._budget)
        spec = self._spec(job, plan_only=True)
        client = await OrchClient.connect(self._settings, logger.info)
        await client.start(spec)
        view = await self._watched(client, spec, Translator(HookRegistry(), self._backend_name))
        if view.status is not ProjectStatus.CANCELLED or not view.tasks:
            raise PrerequisiteError(f"there is no plan: {view.status.value}: {view.reason}")
        tasks = await self._plan(client, spec.project_id)
        models, _ = models_here(spec.models, self._settings, simulated=view.simulated)
        return ExecutionPlan(
            project_id=spec.project_id,
            tasks=tuple(tasks),
            levels=levels_of(tasks),
            forecast=report_of(tasks, models, self.cost_predictor, self._budget),
            spent_usd=usd(view.spent_micro + view.uncertain_micro),
        )

    @property
    def _settings(self) -> Settings:
        if self._given_settings is None:
            self._given_settings = load_settings()
        return self._given_settings

    @property
    def _backend_name(self) -> str:
        return self._backend.name if self._backend else "catalog"

    def _spec(self, job: JobSpec, *, plan_only: bool = False) -> ProjectSpec:
        models = load_catalog(self._settings)
        tables = ROUTING, SIMULATED_ROUTING
        if self._backend:
            real, simulated = ([m for m in models if m.simulated is kind] for kind in (False, True))
            trust = self._track.trust()
            tables = routing_of(self._backend, real, trust), routing_of(self._backend, simulated, trust)
        project = _checked(parse_text, job.project_description)
        return build_spec(
            ProjectRequest(
                project=project,
                criteria=_checked(parse_text, job.success_criteria),
                max_micro=micro(job.budget.max_usd),
                time_limit_s=job.budget.max_time_seconds,
                concurrency=_checked(parse_concurrency, str(job.max_parallel_tasks or self._concurrency)),
                quality_targets=job.quality_targets,
                advise=job.advise or job.app_type is not None,
                wishes=ArchitectureWishes(app_type=job.app_type),
                plan_only=plan_only,
            ),
            project_id=(
                _checked(parse_project_id, job.project_id)
                if job.project_id
                else new_project_id(project, readable=self._settings.readable_ids)
            ),
            models=models,
            routing=tables[0],
            simulated_routing=tables[1],
            embedded=self._settings.embedded,
        )

    async def _begin(self, client: OrchClient, spec: ProjectSpec, *, chosen: bool) -> None:
        """Start the run, or go on with the one of this id."""
        if not chosen or await client.same(spec.project_id, spec.project, spec.criteria) is None:
            await client.start(spec)
        elif (await client.view(spec.project_id)).status in RESUMABLE:
            changes = ResumeChanges(
                max_micro=spec.max_micro, time_limit_s=spec.time_limit_s, concurrency=spec.concurrency
            )
            logger.info((await client.restart(spec.project_id, changes)).text)

    async def _follow(self, client: OrchClient, spec: ProjectSpec) -> ProjectState:
        view = await self._watched(client, spec, Translator(self._hooks, self._backend_name))
        state = await state_of(client, spec, view)
        for result in state.results.values():
            if result.model_used:
                self.cost_predictor.record(result.model_used, state.tasks[result.task_id].type, result.cost_usd)
        self._track.learn(await client.calls(view))
        return state

    async def _watched(self, client: OrchClient, spec: ProjectSpec, translator: Translator) -> ProjectView:
        """Watch a run to its end, and tell what happens; gives how it ended."""
        view: ProjectView | None = None
        async with contextlib.aclosing(happenings(client, spec.project_id)) as all_heard:
            async for heard in all_heard:
                if isinstance(heard, Event):
                    translator.of_event(heard)
                    continue
                view = heard
                if view.tasks and not translator.tasks:
                    translator.tasks = {task.id: task for task in await self._plan(client, spec.project_id)}
                for event in translator.of_view(view):
                    await self._bus.publish(event)
        assert view is not None, "a watch ends with how the run ended"
        return view

    async def _plan(self, client: OrchClient, project_id: str) -> list[Task]:
        return [task_of(planned) for planned in await client.plan(project_id)]


def absolute(folder: str | Path) -> Path:
    """A folder as its user means it."""
    return Path(folder).expanduser().absolute()


def _checked(parse: Callable[[str], T], raw: str) -> T:
    try:
        return parse(raw)
    except ValueError as error:
        raise UserInputError(str(error)) from None
