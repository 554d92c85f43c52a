"""Runs of the real pipeline workflow: a real server, workers in this process, vendors that a test directs."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from pydantic import JsonValue, TypeAdapter
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from activities.pipeline_calls import StepActivities
from activities.pipeline_tools import PipelineToolActivities
from activities.tools import ToolActivities
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.publish import run_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.rpc import core_runtime
from orchestrator.client.server import ServerInfo
from orchestrator.contracts import names
from orchestrator.contracts.pipeline import PipelineInput, PipelineRunSpec, PipelineView, StepView
from orchestrator.contracts.project import Event, Timeouts
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.pipeline import LlmStep, PipelineSpec, all_steps
from orchestrator.domain.refs import BlobRef
from orchestrator.pipelines.validation import plan_of
from orchestrator.providers.base import ModelRequest
from orchestrator.settings import Settings
from orchestrator.testing.scripted import Reply, ScriptedProvider
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.workflow.harness import IDENTITY, MODELS, POLL_S
from tests.workflow.play import DEADLINE_S, VENDORS
from workers.build import HEARTBEAT_THROTTLE
from workflows.pipeline import PipelineWorkflow

_numbers = itertools.count(1)

Answer = Callable[[str, ModelRequest], Reply | Awaitable[Reply]]
"""What a vendor answers to a request."""


def echo(vendor: str, request: ModelRequest) -> Reply:
    """The step and its prompt."""
    return f"{request.sections['step']}({request.prompt})"


class Cast:
    """All vendors of a test, and what they were asked: (vendor, step, prompt)."""

    def __init__(self, answer: Answer = echo) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []
        self.requests: list[ModelRequest] = []
        self.at_once = 0
        self.most_at_once = 0
        self._changed = asyncio.Condition()

    def providers(self) -> dict[str, ScriptedProvider]:
        """The vendors, for a worker."""
        return {vendor: ScriptedProvider(vendor, self._replies(vendor)) for vendor in VENDORS}

    def steps(self) -> list[str]:
        """The steps that were asked about, in order."""
        return [step for _, step, _ in self.asked]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition about the requests. Raises TimeoutError."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(condition), DEADLINE_S)

    def _replies(self, vendor: str) -> Callable[[ModelRequest], Awaitable[Reply]]:
        async def reply(request: ModelRequest) -> Reply:
            self.asked.append((vendor, request.sections["step"], request.prompt))
            self.requests.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            async with self._changed:
                self._changed.notify_all()
            try:
                made = self.answer(vendor, request)
                return await made if isinstance(made, Awaitable) else made
            finally:
                self.at_once -= 1

        return reply


def run_spec(
    pipeline: Mapping[str, Any], inputs: Mapping[str, JsonValue] | None = None, **changes: Any
) -> PipelineRunSpec:
    """A run of a pipeline whose models are named by their vendors."""
    spec = PipelineSpec.model_validate({"name": "test", **pipeline})
    choices = {
        step.name: tuple(f"{vendor}:one" for vendor in (step.model, *step.fallback))
        for step in all_steps(spec.steps)
        if isinstance(step, LlmStep)
    }
    made = PipelineRunSpec(
        run_id=f"r{next(_numbers):03d}",
        plan=plan_of(spec),
        inputs=dict(inputs or {}),
        models=MODELS,
        choices=choices,
        timeouts=Timeouts(heartbeat_s=2.0),
    )
    return made.model_copy(update=changes)


def llm(name: str, prompt: str = "go", **more: Any) -> dict[str, Any]:
    """An llm step that the vendor alpha answers."""
    return {"name": name, "step_type": "llm", "model": "alpha", "prompt": prompt, **more}


class PipelineRun:
    """One run under way."""

    def __init__(self, handle: WorkflowHandle[Any, Any], client: Client, store: ArtifactStore) -> None:
        self.handle = handle
        self._client = client
        self._store = store

    async def view(self) -> PipelineView:
        """The run as it is now."""
        view: PipelineView = await self.handle.query(names.QUERY_STATUS, result_type=PipelineView)
        return view

    async def until(self, condition: Callable[[PipelineView], bool]) -> PipelineView:
        """Ask for the status until the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                view = await self.view()
                if condition(view):
                    return view
                await asyncio.sleep(POLL_S)

    async def result(self) -> PipelineView:
        """The result, whose books must balance."""
        view: PipelineView = await asyncio.wait_for(self.handle.result(), DEADLINE_S)
        records = await self.records(view)
        assert view.spent_micro == sum(step.spent_micro for step in view.steps)
        assert view.calls == len(records)
        assert view.reserved_micro == 0
        assert len({record.key for record in records}) == len(records)
        events = await self.events(view)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return view

    async def value(self, ref: BlobRef | None) -> JsonValue:
        """What a reference stands for."""
        assert ref is not None
        value: JsonValue = json.loads(await self._store.get(ref))
        return value

    async def records(self, view: PipelineView) -> list[CallRecord]:
        """All settled requests."""
        return await self._lines(view.records, CallRecord)

    async def events(self, view: PipelineView) -> list[Event]:
        """The whole event log."""
        return await self._lines(view.events, Event)

    async def histories(self) -> list[WorkflowHistory]:
        """The histories of all executions, from the first to the last."""
        found, run_id = [], self.handle.first_execution_run_id
        while run_id:
            history = await self._client.get_workflow_handle(self.handle.id, run_id=run_id).fetch_history()
            found.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return found

    async def _lines(self, ref: BlobRef | None, kind: type[Any]) -> list[Any]:
        assert ref is not None
        adapter = TypeAdapter(kind)
        return [adapter.validate_json(line) for line in (await self._store.get(ref)).splitlines()]


class PipelineHouse:
    """Server, store and workers of one test."""

    def __init__(self, client: Client, store: ArtifactStore) -> None:
        self.client = client
        self.store = store
        self._runs: list[PipelineRun] = []

    async def start(self, spec: PipelineRunSpec) -> PipelineRun:
        """Start a run by the workflow's name."""
        return await self._start(PipelineInput(spec=spec))

    async def resume(self, spec: PipelineRunSpec) -> PipelineRun:
        """Start the next run from what the last one left in the store."""
        data = await self.store.read_named(run_name("default", spec.run_id, "input.json"))
        assert data is not None
        return await self._start(PipelineInput.model_validate_json(data))

    async def _start(self, given: PipelineInput) -> PipelineRun:
        spec = given.spec
        handle = await self.client.start_workflow(
            names.PIPELINE_WORKFLOW,
            given,
            id=names.pipeline_workflow_id(spec.run_id),
            task_queue=names.QUEUE_WORKFLOWS,
            result_type=PipelineView,
        )
        run = PipelineRun(handle, self.client, self.store)
        self._runs.append(run)
        return run

    async def play(self, spec: PipelineRunSpec) -> tuple[PipelineRun, PipelineView]:
        """A run from start to end."""
        run = await self.start(spec)
        return run, await run.result()

    async def clear(self) -> None:
        """End what a failed test left behind."""
        for run in self._runs:
            if (await run.handle.describe()).close_time is None:
                await run.handle.terminate("the test is over")


def step_of(view: PipelineView, name: str) -> StepView:
    """One step of a view."""
    return next(step for step in view.steps if step.name == name)


@asynccontextmanager
async def pipeline_house(
    settings: Settings, server: ServerInfo, cast: Cast, *, plain: bool = False
) -> AsyncIterator[PipelineHouse]:
    """Workers with the cast's vendors, as long as the context lasts. `plain`: with Temporal's own sandbox."""
    client = await Client.connect(
        server.address, plugins=[OrchPlugin(settings)], identity=IDENTITY, runtime=core_runtime()
    )
    if plain:
        client = await Client.connect(server.address, data_converter=client.data_converter, runtime=core_runtime())
    store = ArtifactStore.open(settings.store_url)
    opened = PipelineHouse(client, store)
    async with AsyncExitStack() as stack:
        for worker in _workers(settings, client, store, cast):
            await stack.enter_async_context(worker)
        try:
            yield opened
        finally:
            await opened.clear()


def _workers(settings: Settings, client: Client, store: ArtifactStore, cast: Cast) -> list[Worker]:
    """As workers/build.py has them."""
    providers = cast.providers()
    journal = Journal(store, owner="test")
    steps = StepActivities(store=store, journal=journal, providers=providers, secrets=())
    pipelines = PipelineToolActivities(store=store, vendors=tuple(providers))
    sandbox = Sandbox("", ToolEnvironment(settings), reason="not in these tests")
    tools = ToolActivities(store, journal, sandbox, Environments(settings), vendors=tuple(providers))
    return [
        Worker(
            client,
            task_queue=names.QUEUE_WORKFLOWS,
            workflows=[PipelineWorkflow],
            activities=[steps.llm],
            interceptors=[ErrorBoundary(())],
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
        Worker(
            client,
            task_queue=names.QUEUE_TOOLS,
            activities=[
                tools.store_text,
                tools.reconcile,
                pipelines.prepare,
                pipelines.test,
                pipelines.expand,
                pipelines.transform,
                pipelines.assemble,
                pipelines.publish,
            ],
            interceptors=[ErrorBoundary(())],
        ),
    ]
