"""Runs in this process: a real server, real workers, real vendor clients over HTTP to vendors that misbehave."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from activities.model_calls import ModelActivities
from activities.tools import ToolActivities
from orchestrator.artifacts.journal import Journal, process_owner
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.catalog import ROUTING, load_catalog
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.rpc import core_runtime
from orchestrator.client.server import ServerInfo
from orchestrator.contracts import names
from orchestrator.contracts.project import ProjectSpec, Timeouts
from orchestrator.domain.money import usd
from orchestrator.domain.tasks import TaskType
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider
from orchestrator.providers.base import Timeouts as RequestTimeouts
from orchestrator.providers.registry import open_provider
from orchestrator.settings import Settings
from orchestrator.testing.project_script import ScriptedTask
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.workflow.harness import House, spec
from workers.build import HEARTBEAT_THROTTLE, STICKY_TIMEOUT
from workers.queues import model_activities, tool_activities
from workflows.project import ProjectWorkflow

VENDORS = ("openai", "anthropic", "google")
# A loaded machine must not take an answer that has come for silence: a model that is asked again would be no fault.
PATIENT = RequestTimeouts(connect_s=5.0, first_byte_s=8.0, between_chunks_s=4.0)
IMPATIENT = RequestTimeouts(connect_s=2.0, first_byte_s=2.0, between_chunks_s=0.5)  # where nobody ever answers
GRACE = timedelta(seconds=20)
MAX_MICRO = 3_000_000
RUN_S = 120.0  # vendors that say nothing take their time, and so does a loaded machine


@dataclass
class Hurried:
    """A vendor whose silence is noticed within a test's time."""

    inner: Provider
    vendor: str
    timeouts: RequestTimeouts

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """As the vendor does, with short timeouts."""
        return await self.inner.complete(request.model_copy(update={"timeouts": self.timeouts}), on_text)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()


def json_task(number: int, *dependencies: int) -> ScriptedTask:
    """A task with one JSON file, which needs no sandbox to be checked."""
    name = f"t{number:02d}"
    return ScriptedTask(
        id=name,
        dependencies=tuple(f"t{other:02d}" for other in dependencies),
        files={f"{name}.json": f'{{"name": "{name}"}}\n'},
        validators=("json_schema",),
        type=TaskType.SUMMARIZATION,
    )


def diamond() -> tuple[ScriptedTask, ...]:
    """Four tasks: one, two beside each other, one that needs both."""
    return (json_task(1), json_task(2, 1), json_task(3, 1), json_task(4, 2, 3))


def project(settings: Settings, **changes: object) -> ProjectSpec:
    """A project of its own name for the vendors that have a key, at their real prices."""
    given = {"models": load_catalog(settings), "routing": ROUTING, "max_micro": MAX_MICRO, **changes}
    return spec(timeouts=Timeouts(heartbeat_s=2.0), concurrency=4, **given)


@asynccontextmanager
async def rig(
    settings: Settings,
    server: ServerInfo,
    store: ArtifactStore | None = None,
    workers: int = 1,
    timeouts: RequestTimeouts = PATIENT,
) -> AsyncIterator[House]:
    """Workers with the vendors of `settings`, as long as the context lasts; `store` in place of theirs.

    More than one worker share the queues, each with connections and a journal of its own.
    """
    opened = House(await _client(settings, server), ArtifactStore.open(settings.store_url))
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            providers = {
                vendor: Hurried(open_provider(given), vendor, timeouts) for vendor, given in settings.vendors.items()
            }
            for provider in providers.values():
                stack.push_async_callback(provider.aclose)
            client = await _client(settings, server)  # two workers of one client may not share a queue
            for worker in worker_pair(settings, client, store or opened.store, providers):
                await stack.enter_async_context(worker)
        try:
            yield opened
        finally:
            await opened.clear()


async def _client(settings: Settings, server: ServerInfo) -> Client:
    plugins = [OrchPlugin(settings)]
    return await Client.connect(server.address, plugins=plugins, identity="chaos", runtime=core_runtime())


def worker_pair(
    settings: Settings, client: Client, store: ArtifactStore, providers: Mapping[str, Provider]
) -> list[Worker]:
    """As workers/build.py has them, with a short grace. Tools run without a sandbox: what is written needs none."""
    journal = Journal(store, owner=process_owner())
    sandbox = Sandbox("", ToolEnvironment(settings), reason="not in these tests")
    models = ModelActivities(store=store, journal=journal, providers=providers, secrets=(), sandbox=sandbox)
    environments = Environments(settings)
    tools = ToolActivities(store, journal, sandbox, environments, vendors=tuple(providers))
    return [
        Worker(
            client,
            task_queue=names.QUEUE_WORKFLOWS,
            workflows=[ProjectWorkflow],
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
            activities=model_activities(models),
            interceptors=[ErrorBoundary(())],
            graceful_shutdown_timeout=GRACE,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
        Worker(
            client,
            task_queue=names.QUEUE_TOOLS,
            activities=tool_activities(tools),
            interceptors=[ErrorBoundary(())],
            graceful_shutdown_timeout=GRACE,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
    ]


def dollars(amount_micro: int) -> str:
    """An amount in messages."""
    return f"${usd(amount_micro):.6f}"
