"""Runs of the real workflow: a real server, workers in this process, vendors that a test directs."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.worker import Worker

from activities.batches import BatchActivities
from activities.boundary import ErrorBoundary
from activities.delivery import DeliveryActivities
from activities.model_calls import ModelActivities
from activities.tools import ToolActivities
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import read_manifest
from orchestrator.artifacts.publish import project_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.resuming import ResumeChanges, resumed_input
from orchestrator.client.rpc import core_runtime
from orchestrator.client.server import ServerInfo
from orchestrator.client.stored import StoredRuns
from orchestrator.contracts import names
from orchestrator.contracts.messages import UPDATES, Request
from orchestrator.contracts.project import Event, ProjectSpec, ProjectView, TaskView, Timeouts
from orchestrator.contracts.state import ProjectInput, ProjectState
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import Settings
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.workflow.play import DEADLINE_S, VENDORS, Play
from workers.build import HEARTBEAT_THROTTLE
from workers.queues import batch_activities, delivery_activities, model_activities, tool_activities
from workflows.batch import BatchWorkflow
from workflows.project import ProjectWorkflow

IDENTITY = "recorder"
POLL_S = 0.01
INPUT_MICRO = 1_000_000  # per million tokens: a token costs a micro-dollar
OUTPUT_MICRO = 5_000_000
_RECORDS = TypeAdapter(list[CallRecord])
_EVENTS = TypeAdapter(list[Event])
_numbers = itertools.count(1)

Instead = Callable[[ModelActivities], Callable[..., Any]]
"""Makes an activity that stands in for the method of the same name."""


def model(vendor: str, name: str = "one", **more: Any) -> ModelSpec:
    """A model with round prices."""
    price = PriceTier(input_micro=INPUT_MICRO, cached_input_micro=INPUT_MICRO, output_micro=OUTPUT_MICRO)
    given = {"prices": (price,), "context_tokens": 200_000, "max_output_tokens": 32_000, **more}
    return ModelSpec(id=f"{vendor}:{name}", vendor=vendor, model=name, **given)


MODELS = tuple(model(vendor) for vendor in VENDORS)


def spec(**changes: Any) -> ProjectSpec:
    """A project of its own name, with enough money and time."""
    routing = {task_type: tuple(m.id for m in MODELS) for task_type in TaskType}
    return ProjectSpec(
        project_id=f"p{next(_numbers):03d}",
        project="Write some files.",
        criteria="They are there.",
        max_micro=5_000_000,
        timeouts=Timeouts(heartbeat_s=2.0),
        time_limit_s=60,
        models=MODELS,
        routing=routing,
        simulated_routing=routing,
    ).model_copy(update=changes)


class Run:
    """One run under way."""

    def __init__(self, handle: WorkflowHandle[Any, Any], project_id: str, client: Client, store: ArtifactStore) -> None:
        self.handle = handle
        self.id = project_id
        self._client = client
        self._store = store

    async def query(self, name: str, result_type: type[Any], *arguments: Any) -> Any:
        """A query's answer."""
        return await self.handle.query(name, args=list(arguments), result_type=result_type)

    async def view(self) -> ProjectView:
        """The head of the run."""
        view: ProjectView = await self.query(names.QUERY_STATUS, ProjectView)
        return view

    async def tasks(self) -> dict[str, TaskView]:
        """Tasks by id, as they are now."""
        return {task.id: task for task in await self.query(names.QUERY_TASKS, tuple[TaskView, ...])}

    async def until(self, condition: Callable[[ProjectView], bool]) -> ProjectView:
        """Ask for the status until the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                view = await self.view()
                if condition(view):
                    return view
                await asyncio.sleep(POLL_S)

    async def until_tasks(self, **statuses: str) -> None:
        """Ask for the tasks until these have these statuses. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                tasks = await self.tasks()
                if tasks and all(tasks[task].status == status for task, status in statuses.items()):
                    return
                await asyncio.sleep(POLL_S)

    async def steer(self, request: Request) -> str:
        """What the run answers to an operator. Raises WorkflowUpdateFailedError where it refuses."""
        return await self.ask(UPDATES[type(request)], request)

    async def ask(self, name: str, argument: Any) -> str:
        """The same with whatever argument."""
        answer: str = await self.handle.execute_update(name, argument, result_type=str)
        return answer

    async def refusal(self, request: Request) -> str:
        """Why the run does not do it; empty where it does."""
        try:
            await self.steer(request)
        except WorkflowUpdateFailedError as error:
            return str(error.cause)
        return ""

    async def signal(self, name: str, *arguments: str) -> None:
        """Send a signal."""
        await self.handle.signal(name, args=list(arguments))

    async def result(self, within_s: float = DEADLINE_S) -> ProjectView:
        """The result, whose books must balance. Raises TimeoutError."""
        try:
            view: ProjectView = await asyncio.wait_for(self.handle.result(), within_s)
        except TimeoutError:
            raise TimeoutError(await self._where_it_stands(within_s)) from None
        await self.audit(view)
        return view

    async def _where_it_stands(self, waited_s: float) -> str:
        """Last events of the history and activities under way, for the message of a test that waited in vain."""
        history = await self.handle.fetch_history()
        last = [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events[-8:]]
        pending = (await self.handle.describe()).raw_description.pending_activities
        return f"not closed after {waited_s} s: {', '.join(last)}; pending: {pending}"

    async def histories(self) -> list[WorkflowHistory]:
        """The histories of all executions, from the first to the last."""
        found, run_id = [], self.handle.first_execution_run_id
        while run_id:
            history = await self._client.get_workflow_handle(self.handle.id, run_id=run_id).fetch_history()
            found.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return found

    async def state(self) -> ProjectState:
        """The state that the run left in the store."""
        data = await self._store.read_named(project_name(self._client.namespace, self.id, "state.json"))
        assert data is not None
        return ProjectState.model_validate_json(data)

    async def records(self) -> list[CallRecord]:
        """All settled requests, of all executions."""
        segments = (await self.state()).record_segments
        return [r for ref in segments for r in _RECORDS.validate_json(await self._store.get(ref))]

    async def events(self) -> list[Event]:
        """All events, of all executions."""
        segments = (await self.state()).event_segments
        return [e for ref in segments for e in _EVENTS.validate_json(await self._store.get(ref))]

    async def audit(self, view: ProjectView) -> None:
        """Every cent in one place, nothing reserved, the cap kept, logs complete."""
        records = await self.records()
        own = sum(view.spent_by_stage.values())
        assert view.spent_micro == own + sum(task.spent_micro for task in view.tasks)
        assert all(task.spent_micro == sum(task.spent_by_stage.values()) for task in view.tasks)
        assert view.spent_micro == (await self._reconciled()) + sum(record.cost_micro for record in records)
        assert view.calls == len(records)
        assert view.reserved_micro == 0
        assert view.spent_micro + view.uncertain_micro <= view.max_micro
        assert len({record.key for record in records}) == len(records)
        assert [event.seq for event in await self.events()] == list(range(1, (await self.state()).next_event))

    async def _reconciled(self) -> int:
        """What was uncertain first and has its actual cost now."""
        texts = [event.text for event in await self.events() if event.kind == "reconciled"]
        return sum(round(float(text.rsplit("$", 1)[1]) * 1_000_000) for text in texts)


class House:
    """Server, store and workers of one test."""

    def __init__(self, client: Client, store: ArtifactStore) -> None:
        self.client = client
        self.store = store
        self._runs: list[WorkflowHandle[Any, Any]] = []

    async def start(self, project: ProjectSpec) -> Run:
        """Start a run by the workflow's name."""
        return await self._start(ProjectInput(spec=project))

    async def resume(self, ended: Run, project: ProjectSpec, **changes: Any) -> Run:
        """Start the next run of a project from what the last one left in the store."""
        state = await ended.state()
        unbooked = await StoredRuns(self.store, "default").unbooked(ended.id, state)
        return await self._start(resumed_input(project, state, ResumeChanges(**changes), unbooked))

    async def _start(self, run_input: ProjectInput) -> Run:
        project = run_input.spec
        handle = await self.client.start_workflow(
            names.PROJECT_WORKFLOW,
            run_input,
            id=names.workflow_id(project.project_id),
            task_queue=names.QUEUE_WORKFLOWS,
            result_type=ProjectView,
        )
        run = Run(handle, project.project_id, self.client, self.store)
        self.adopt(handle)
        return run

    def adopt(self, handle: WorkflowHandle[Any, Any]) -> None:
        """End this run, too, when the house is closed."""
        self._runs.append(handle)

    async def play(self, project: ProjectSpec) -> ProjectView:
        """A run from start to end."""
        return await (await self.start(project)).result()

    async def published(self, view: ProjectView) -> set[str]:
        """Paths of what the run left behind."""
        assert view.manifest is not None
        return {file.path for file in (await read_manifest(self.store, view.manifest)).files}

    async def clear(self) -> None:
        """End what a failed test left behind."""
        for run in self._runs:
            if (await run.describe()).close_time is None:
                await run.terminate("the test is over")


@asynccontextmanager
async def house(
    settings: Settings, server: ServerInfo, play: Play, *, plain: bool = False, instead: Instead | None = None
) -> AsyncIterator[House]:
    """Workers with the play's vendors, as long as the context lasts.

    `plain`: with Temporal's own workflow sandbox, nothing of ours passed through. `instead`: an activity that
    takes the place of ours of the same name.
    """
    client = await Client.connect(
        server.address, plugins=[OrchPlugin(settings)], identity=IDENTITY, runtime=core_runtime()
    )
    if plain:
        client = await Client.connect(server.address, data_converter=client.data_converter, runtime=core_runtime())
    store = ArtifactStore.open(settings.store_url)
    opened = House(client, store)
    async with AsyncExitStack() as stack:
        for worker in _workers(settings, client, store, play, instead):
            await stack.enter_async_context(worker)
        try:
            yield opened
        finally:
            play.open_all()
            await opened.clear()


def _workers(
    settings: Settings, client: Client, store: ArtifactStore, play: Play, instead: Instead | None
) -> list[Worker]:
    """As workers/build.py has them. Tools run without a sandbox: what tests write needs none."""
    journal = Journal(store, owner="test")
    providers = play.providers(VENDORS)
    sandbox = Sandbox("", ToolEnvironment(settings), reason="not in these tests")
    models = ModelActivities(store=store, journal=journal, providers=providers, secrets=(), sandbox=sandbox)
    environments = Environments(settings)
    tools = ToolActivities(store, journal, sandbox, environments, vendors=tuple(providers))
    stages = model_activities(models)
    delivery = delivery_activities(DeliveryActivities(store, settings))
    others = [*tool_activities(tools), *batch_activities(BatchActivities(store, journal)), *delivery]
    if instead is not None:
        name = instead.__name__
        stages = [instead(models) if getattr(stage, "__name__", "") == name else stage for stage in stages]
        others = [instead(models) if getattr(other, "__name__", "") == name else other for other in others]
    return [
        Worker(
            client,
            task_queue=names.QUEUE_WORKFLOWS,
            workflows=[ProjectWorkflow, BatchWorkflow],
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        ),
        Worker(
            client,
            task_queue=names.QUEUE_MODELS,
            activities=stages,
            interceptors=[ErrorBoundary(())],
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
        Worker(
            client,
            task_queue=names.QUEUE_TOOLS,
            activities=others,
            interceptors=[ErrorBoundary(())],
        ),
    ]
