"""The public way to start, watch and steer projects: `Orchestrator`."""

import asyncio
import builtins
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import JsonValue
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.export import export_manifest
from orchestrator.artifacts.html_report import HTML_REPORT_NAME
from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.publish import project_name
from orchestrator.artifacts.store import open_store
from orchestrator.catalog import load_catalog
from orchestrator.client.connection import connect, connect_embedded, ensure_services
from orchestrator.client.namespace import has_search_attributes
from orchestrator.client.pipelines import PipelineOutput, PipelineRuns
from orchestrator.client.polling import vendors_served
from orchestrator.client.processes import Say
from orchestrator.client.reading import ProjectRow, ProjectRuns
from orchestrator.client.resuming import ResumeChanges, check_resumable, resumed_input
from orchestrator.client.rpc import RPC_TIMEOUT, rpc_errors
from orchestrator.client.runs import Site
from orchestrator.client.similar import Similar, fingerprint, keywords, similar_to
from orchestrator.client.urgency import team_attribute, urgency
from orchestrator.client.watching import ended
from orchestrator.contracts.details import project_details
from orchestrator.contracts.messages import Request
from orchestrator.contracts.names import (
    MEMO_FINGERPRINT,
    MEMO_KEYWORDS,
    MEMO_MAX_USD,
    MEMO_PROJECT,
    PROJECT_WORKFLOW,
    QUEUE_WORKFLOWS,
    SIGNAL_PAUSE,
    SIGNAL_RESUME,
    workflow_id,
)
from orchestrator.contracts.project import BudgetView, Event, ProjectSpec, ProjectStatus, ProjectView
from orchestrator.contracts.state import ProjectInput
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.answers import PlannedTask, Suggestion
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import usd
from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.client.batches import BatchRuns
    from orchestrator.client.retention import Retention
    from orchestrator.client.schedules import Schedules
    from orchestrator.pipelines.pipeline import Pipeline

_EMBEDDED_TASK_TIMEOUT = timedelta(seconds=5)  # then another worker gets a dead one's task
_SUMMARY_CHARS = 100
_SIMILAR_AMONG = 200  # the latest projects
_NO_OPERATOR = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED)
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")


class Orchestrator:
    """Projects of one Temporal namespace.

    Every method raises PrerequisiteError, in one line, where Temporal, the worker or the store is silent, and
    UserInputError where there is no such project. Safe for concurrent use by tasks of one event loop.
    """

    def __init__(self, settings: Settings, say: Say, client: Client) -> None:
        self._settings = settings
        self._say = say
        self._store = open_store(settings)
        self._healing = asyncio.Lock()
        self._use(client)
        self._projects = ProjectRuns(lambda: self._client, self._store)

    @classmethod
    async def connect(cls, settings: Settings, say: Say) -> "Orchestrator":
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
            spec = spec.model_copy(update={"files": await write_draft(self._store, files)})
        if self._settings.embedded:
            if self._settings.rate_limits:
                self._say("ORCH_RATE_LIMITS is for workers of a cluster: here nothing limits the calls")
            await self._ensure_services(replace_worker=True)
        else:
            if self._settings.store_url.startswith("file:"):
                self._say("the artifact store is a local folder: only machines that share it can export")
            await self._tell_unserved(spec.models)
        return await self._run(ProjectInput(spec=spec))

    async def _tell_unserved(self, models: tuple[ModelSpec, ...]) -> None:
        """One line where workers cannot ask every vendor that the run may use."""
        vendors = await vendors_served(self._client, models)
        if not vendors.served:
            self._say("no worker asks models: start one with 'orch-cli worker run', or the run fails")
        elif vendors.unserved:
            self._say(f"workers ask {', '.join(vendors.served)}; none asks {', '.join(vendors.unserved)}")

    async def _run(self, run_input: ProjectInput) -> str:
        spec = run_input.spec
        registered = self._settings.embedded or await self._search_attributes()
        spec = spec.model_copy(update={"search_attributes": registered})
        first_line = (spec.project.strip().splitlines() or [""])[0][:_SUMMARY_CHARS]
        memo = {
            MEMO_PROJECT: first_line,
            MEMO_MAX_USD: usd(spec.max_micro),
            # Nobody who starts a project means one that was only to be advised.
            MEMO_FINGERPRINT: "" if spec.advise_only else fingerprint(spec.project, spec.criteria),
            MEMO_KEYWORDS: "" if spec.advise_only else keywords(spec.project, spec.criteria),
        }
        planning = TypedSearchAttributes(
            [SearchAttributePair(_STATUS, ProjectStatus.PLANNING.value), *team_attribute(spec.team)]
        )
        try:
            with rpc_errors(self._address):
                handle = await self._client.start_workflow(
                    PROJECT_WORKFLOW,
                    run_input.model_copy(update={"spec": spec}),
                    id=workflow_id(spec.project_id),
                    task_queue=QUEUE_WORKFLOWS,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    task_timeout=_EMBEDDED_TASK_TIMEOUT if self._settings.embedded else None,
                    memo=memo,
                    search_attributes=planning if registered else None,
                    static_summary=first_line,
                    static_details=project_details(spec),
                    priority=urgency(spec.team, attended=True),
                    rpc_timeout=RPC_TIMEOUT,
                )
        except WorkflowAlreadyStartedError:
            raise UserInputError(
                f"project {spec.project_id} runs already; follow it with 'orch-cli watch {spec.project_id}'"
            ) from None
        return handle.id

    async def view(self, project_id: str) -> ProjectView:
        """The run as it is now, or its result. A run that was broken off shows its last published state."""
        return await self._projects.view(project_id)

    async def events(self, project_id: str, since: int) -> builtins.list[Event]:
        """Events after number `since`, in order; of a running project at most a few hundred at a time."""
        return await self._projects.events(project_id, since)

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

        return Retention(self._client, self._store)

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

    @property
    def _site(self) -> Site:
        timeout = _EMBEDDED_TASK_TIMEOUT if self._settings.embedded else None
        return Site(lambda: self._client, self._store, self._ready, self.heal, timeout)

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
        await self._projects.signal(project_id, SIGNAL_PAUSE, reason, by)

    async def resume(self, project_id: str, by: str = "") -> None:
        """Ends a pause. Raises UserInputError where the project has ended."""
        await self._projects.signal(project_id, SIGNAL_RESUME, by)

    async def steer(self, project_id: str, request: Request) -> str:
        """Asks something of a running project; returns one line of what was done.

        Raises UserInputError, with the reason, where the request is rejected or the project has ended.
        """
        return await self._projects.steer(project_id, request)

    async def restart(self, project_id: str, changes: ResumeChanges, by: str = "") -> str:
        """Starts an ended project again where it stopped; returns one line of what is done already.

        Done tasks stay done, earlier spending counts against the cap. Raises UserInputError where there is nothing to
        go on with: the project is complete, runs already, or stored nothing.
        """
        view = await self.view(project_id)
        check_resumable(project_id, view.status, changes)
        spec, state = await self._projects.stored.written(project_id)
        spec = spec.model_copy(update={"models": load_catalog(self._settings), "batch": None})
        unbooked = await self._projects.stored.unbooked(project_id, state)
        run_input = resumed_input(spec, state, changes, unbooked)
        if self._settings.embedded:
            await self._ensure_services(replace_worker=True)
        await self._run(run_input.model_copy(update={"by": by}))
        await self._projects.check_kept(project_id, project_name(self._client.namespace, project_id, "spec.json"))
        spent = f"${usd(view.spent_micro + view.uncertain_micro):.6f} is spent"
        return f"{project_id} goes on where it stopped: {view.tasks_done} of {view.tasks_total} tasks ended, {spent}"

    async def cancel(self, project_id: str) -> None:
        """Asks the run to end as CANCELLED; it publishes what is done. Nothing happens where it has ended."""
        await self._projects.cancel(project_id)

    async def export(self, project_id: str, output_dir: Path) -> Path:
        """Writes what the run published to `output_dir`, whole or not at all; returns the folder.

        Raises UserInputError where nothing was published, or where the folder holds something else.
        """
        manifest = (await self.view(project_id)).manifest
        if manifest is None:
            raise UserInputError(f"project {project_id} has published nothing yet; 'orch-cli status' tells why")
        return await export_manifest(self._store, manifest, output_dir, project_id)

    async def report(self, project_id: str) -> bytes:
        """The report page (HTML) of a project that has ended. Raises UserInputError where it has not."""
        ref = (await self.view(project_id)).manifest
        if ref is None:
            raise UserInputError(f"project {project_id} has no report yet; 'orch-cli status' tells why")
        return await self._projects.stored.published(ref, HTML_REPORT_NAME)

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died. Cheap; for waiting loops."""
        if self._settings.embedded:
            await self._ensure_services(replace_worker=False)

    async def _ready(self) -> bool:
        """Everything that a new run needs; True where the namespace has our search attributes."""
        if self._settings.embedded:
            await self._ensure_services(replace_worker=True)
            return True
        if self._settings.store_url.startswith("file:"):
            self._say("the artifact store is a local folder: only machines that share it can read results")
        return await self._search_attributes()

    async def _ensure_services(self, *, replace_worker: bool) -> None:
        async with self._healing:
            server = await asyncio.to_thread(ensure_services, self._settings, self._say, replace_worker=replace_worker)
            if server.address != self._address:
                self._use(await connect_embedded(self._settings, server))

    async def _search_attributes(self) -> bool:
        """True where a configured namespace has ours; False where it has not, or does not tell."""
        with rpc_errors(self._address):
            try:
                registered = await has_search_attributes(self._client)
            except RPCError as error:
                if error.status not in _NO_OPERATOR:
                    raise
                registered = False
        if not registered:
            self._say("the namespace lacks our search attributes: 'orch-cli list' will show less")
        return registered

    def _use(self, client: Client) -> None:
        self._client = client
        self._address = client.service_client.config.target_host
