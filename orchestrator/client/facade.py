"""The public way to start, watch and steer projects: `OrchClient`."""

import builtins
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import JsonValue
from temporalio.client import Client

from orchestrator.artifacts.export import export_manifest
from orchestrator.artifacts.html_report import HTML_REPORT_NAME
from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.publish import project_name
from orchestrator.catalog import load_catalog
from orchestrator.client.connection import connect
from orchestrator.client.pipelines import PipelineOutput, PipelineRuns
from orchestrator.client.processes import Say
from orchestrator.client.reading import ProjectRow, ProjectRuns
from orchestrator.client.resuming import Restarted, ResumeChanges, check_resumable, resumed_input
from orchestrator.client.similar import Similar, fingerprint, similar_to
from orchestrator.client.site import Site
from orchestrator.client.starting import start_project
from orchestrator.client.watching import ended
from orchestrator.contracts.messages import Request
from orchestrator.contracts.project import BudgetView, Event, ProjectSpec, ProjectView
from orchestrator.contracts.state import ProjectInput
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.answers import PlannedTask, Suggestion
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.money import usd
from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.client.batches import BatchRuns
    from orchestrator.client.retention import Retention
    from orchestrator.client.schedules import Schedules
    from orchestrator.pipelines.pipeline import Pipeline

_SIMILAR_AMONG = 200  # the latest projects


class OrchClient:
    """Projects of one Temporal namespace.

    Every method raises PrerequisiteError, in one line, where Temporal, the worker or the store is silent, and
    UserInputError where there is no such project. Safe for concurrent use by tasks of one event loop.
    """

    def __init__(self, settings: Settings, say: Say, client: Client) -> None:
        self._settings = settings
        self._site = Site(settings, say, client)
        self._projects = ProjectRuns(self._site.client, self._site.store)

    @classmethod
    async def connect(cls, settings: Settings, say: Say) -> "OrchClient":
        """Connects to the configured Temporal, or to the embedded one, which is started if it does not run.

        `say` receives lines of progress and warnings, also later.
        """
        return cls(settings, say, await connect(settings, say))

    async def start(self, spec: ProjectSpec, files: Mapping[str, bytes] = MappingProxyType({})) -> str:
        """Starts the run and returns its workflow id. Raises UserInputError while the project runs already.

        `files` are the user's own, by path in the software. The embedded worker is replaced where it has other vendor
        settings than ours.
        """
        if files:
            spec = spec.model_copy(update={"files": await write_draft(self._site.store, files)})
        if self._settings.embedded and self._settings.rate_limits:
            self._site.say("ORCH_RATE_LIMITS is for workers of a cluster: here nothing limits the calls")
        await self._site.tell_unserved(spec.models)
        return await start_project(self._site, ProjectInput(spec=spec))

    async def view(self, project_id: str) -> ProjectView:
        """The run as it is now, or its result. A run that was broken off shows its last published state."""
        return await self._projects.view(project_id)

    async def events(self, project_id: str, since: int) -> builtins.list[Event]:
        """Events after number `since`, in order; of a running project at most a few hundred at a time."""
        return await self._projects.events(project_id, since)

    async def last_events(self, view: ProjectView, since: int) -> builtins.list[Event]:
        """The same of a run that has ended, whether Temporal answers or not."""
        return await self._projects.last_events(view, since)

    async def wait_closed(self, project_id: str, timeout_s: float) -> ProjectView | None:
        """The result as soon as the run is closed; None where it still runs after `timeout_s`."""
        return await self._projects.wait_closed(project_id, timeout_s)

    async def list(self, limit: int) -> builtins.list[ProjectRow]:
        """The latest run of each project, running ones first."""
        return await self._projects.rows(limit)

    async def same(self, project_id: str, project: str, criteria: str) -> ProjectRow | None:
        """The project of this id, None where there is none. Raises UserInputError where it has other texts."""
        row = await self._projects.row(project_id)
        if row is not None and row.fingerprint != fingerprint(project, criteria):
            raise UserInputError(f"project {project_id} exists with other texts ({row.project}); choose another id")
        return row

    async def budget(self, project_id: str) -> BudgetView:
        """Money and time of the run, or as they were when it ended."""
        return await self._projects.budget(project_id)

    async def plan(self, project_id: str) -> tuple[PlannedTask, ...]:
        """The plan with its instructions; empty before there is one."""
        return await self._projects.plan(project_id)

    async def suggestions(self, project_id: str) -> dict[str, Suggestion]:
        """Suggestions for the project text that wait for a choice, by id; empty where none do."""
        return await self._projects.suggestions(project_id)

    async def spec(self, project_id: str) -> ProjectSpec:
        """What a run was asked for, with its texts. Raises UserInputError where it stored nothing."""
        return (await self._projects.stored.written(project_id))[0]

    async def files(self, view: ProjectView) -> dict[str, bytes]:
        """All files of what a run published, by path; none where it published nothing."""
        return await self._projects.stored.files(view.manifest) if view.manifest else {}

    async def calls(self, view: ProjectView) -> builtins.list[CallRecord]:
        """All settled calls of a run that has ended."""
        return await self._projects.stored.records(view.records) if view.records else []

    async def similar(self, project: str, criteria: str) -> builtins.list[Similar]:
        """Running and resumable projects with the same or similar text and criteria, the most similar first."""
        return similar_to(project, criteria, await self._projects.rows(_SIMILAR_AMONG))

    @property
    def pipelines(self) -> PipelineRuns:
        """Runs of pipelines in the same namespace."""
        return PipelineRuns(self._site)

    @property
    def retention(self) -> "Retention":
        """Removes what ended runs left."""
        from orchestrator.client.retention import Retention  # most commands remove nothing

        return Retention(self._site.client(), self._site.store)

    @property
    def batches(self) -> "BatchRuns":
        """Batches of projects in the same namespace."""
        from orchestrator.client.batches import BatchRuns  # most commands need no batches

        return BatchRuns(self._site)

    @property
    def schedules(self) -> "Schedules":
        """Schedules of batches in the same namespace."""
        from orchestrator.client.schedules import Schedules  # most commands need no schedules

        return Schedules(self._site)

    async def run_pipeline(
        self,
        pipeline: "PipelineSpec | Pipeline",
        inputs: Mapping[str, JsonValue] = MappingProxyType({}),
        *,
        max_micro: int | None = None,
        mock: bool = False,
    ) -> PipelineOutput:
        """Runs a pipeline to its end, under the cap `max_micro` if there is one; with `mock` no model is asked.

        Raises UserInputError where the pipeline, its inputs or a model will not do: Python functions must be registered
        as entry points where the worker runs. A step that fails is a result.
        """
        from orchestrator.client.pipeline_spec import build_run  # most commands need no YAML and no templates

        if not isinstance(pipeline, PipelineSpec):
            if pipeline.functions:
                raise UserInputError("Python functions run in this process only: use PipelineExecutor, or entry points")
            pipeline = pipeline.spec
        spec = build_run(
            pipeline,
            inputs,
            models=load_catalog(self._settings),
            embedded=self._settings.embedded,
            readable_id=self._settings.readable_ids,
            max_micro=max_micro,
            mock=mock,
        )
        run_id = await self.pipelines.start(spec)
        return await self.pipelines.output(await ended(self.pipelines, run_id))

    async def pause(self, project_id: str, reason: str = "", by: str = "") -> None:
        """Starts no new calls; those in flight finish. Raises UserInputError where the project has ended."""
        await self._projects.pause(project_id, reason, by)

    async def resume(self, project_id: str, by: str = "") -> None:
        """Ends a pause. Raises UserInputError where the project has ended."""
        await self._projects.resume(project_id, by)

    async def steer(self, project_id: str, request: Request) -> str:
        """Asks something of a running project; returns one line of what was done.

        Raises UserInputError, with the reason, where the request is rejected or the project has ended.
        """
        return await self._projects.steer(project_id, request)

    async def restart(self, project_id: str, changes: ResumeChanges, by: str = "") -> Restarted:
        """Starts an ended project again where it stopped.

        Done tasks stay done, earlier spending counts against the cap. Raises UserInputError where there is nothing to
        go on with: the project is complete, runs already, or stored nothing.
        """
        view = await self.view(project_id)
        check_resumable(project_id, view.status, changes)
        spec, state = await self._projects.stored.written(project_id)
        spec = spec.model_copy(update={"models": load_catalog(self._settings), "batch": None})
        unbooked = await self._projects.stored.unbooked(project_id, state)
        run_input = resumed_input(spec, state, changes, unbooked)
        await start_project(self._site, run_input.model_copy(update={"by": by}))
        await self._projects.check_kept(
            project_id, project_name(self._site.client().namespace, project_id, "spec.json")
        )
        spent = f"${usd(view.spent_micro + view.uncertain_micro):.6f} is spent"
        text = f"{project_id} goes on where it stopped: {view.tasks_done} of {view.tasks_total} tasks ended, {spent}"
        return Restarted(text, last_event=state.next_event - 1)

    async def cancel(self, project_id: str) -> None:
        """Asks the run to end as CANCELLED; it publishes what is done. Nothing happens where it has ended."""
        await self._projects.cancel(project_id)

    async def export(self, view: ProjectView, output_dir: Path) -> Path:
        """Writes what a run published to `output_dir`, whole or not at all; returns the folder.

        Raises UserInputError where nothing was published, or where the folder holds something else.
        """
        if view.manifest is None:
            raise UserInputError(f"project {view.project_id} has published nothing yet; 'orch-cli status' tells why")
        return await export_manifest(self._site.store, view.manifest, output_dir, view.project_id)

    async def report(self, project_id: str) -> bytes:
        """The report page (HTML) of a project that has ended. Raises UserInputError where it has not."""
        ref = (await self.view(project_id)).manifest
        if ref is None:
            raise UserInputError(f"project {project_id} has no report yet; 'orch-cli status' tells why")
        return await self._projects.stored.published(ref, HTML_REPORT_NAME)

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died. Cheap; for waiting loops."""
        await self._site.heal()
