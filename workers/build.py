"""Puts one worker process together: store, journal, vendors, sandbox, and a Temporal worker per queue."""

import os
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    Worker,
    WorkerDeploymentConfig,
)

from activities.batches import BatchActivities
from activities.boundary import ErrorBoundary
from activities.delivery import DeliveryActivities
from activities.model_calls import ModelActivities
from activities.pipeline_calls import StepActivities
from activities.pipeline_mock import MockVendor
from activities.pipeline_tools import PipelineToolActivities
from activities.run_telemetry import begin_counting
from activities.tools import ToolActivities
from orchestrator.artifacts.exclusive import require_exclusive
from orchestrator.artifacts.journal import Journal, process_owner
from orchestrator.artifacts.store import ArtifactStore, open_store
from orchestrator.contracts.names import DEPLOYMENT, QUEUE_TOOLS, SIMULATED
from orchestrator.contracts.pipeline import MOCK_VENDOR
from orchestrator.contracts.serving import EVERYTHING, Serving
from orchestrator.domain.errors import UserInputError
from orchestrator.providers.base import Provider
from orchestrator.providers.registry import open_provider
from orchestrator.providers.simulated import open_simulated
from orchestrator.settings import Settings
from orchestrator.settings.limits import RATE_LIMITS
from orchestrator.settings.simulated import SIMULATED_VENDORS
from orchestrator.telemetry.instruments import SANDBOX
from orchestrator.telemetry.telemetry import SILENT, Telemetry
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from workers.queues import (
    WORKFLOWS,
    Activity,
    Queue,
    Work,
    batch_activities,
    call_activities,
    delivery_activities,
    pipeline_activities,
    separate_queues,
    shared_queues,
    tool_activities,
    upgrading,
)

MAX_CALLS = 200
TOOL_SLOTS = max(2, os.cpu_count() or 2)
STICKY_TIMEOUT = timedelta(seconds=2)
# The SDK would hold heartbeats back for most of their timeout, and with them the news of a cancellation.
HEARTBEAT_THROTTLE = timedelta(seconds=1)
# Calls in flight may finish after SIGTERM: longer than the longest answer.
GRACE = timedelta(minutes=15)

_POLLERS = PollerBehaviorSimpleMaximum(maximum=5)
# A process may serve many vendors, most of them idle.
_VENDOR_POLLERS = PollerBehaviorAutoscaling(minimum=1, initial=2, maximum=10)


@dataclass(frozen=True)
class Duty:
    """What a process is there for. `apart`: each vendor has a queue; `build_id` names the version of the code."""

    serving: Serving = EVERYTHING
    apart: bool = False
    build_id: str = ""


@dataclass
class WorkerSet:
    """The workers of one process, one per queue, and what they share; `secrets` are the keys of the vendors."""

    queues: list[Queue]
    workers: list[Worker]
    providers: dict[str, Provider]
    store: ArtifactStore
    secrets: tuple[str, ...]

    async def close(self) -> None:
        """Close the vendors' connections."""
        for provider in self.providers.values():
            await provider.aclose()


async def build(settings: Settings, client: Client, duty: Duty, telemetry: Telemetry = SILENT) -> WorkerSet:
    """All workers of this process, not yet running. Raises OrchError where it cannot do its duty."""
    providers = _providers(settings, duty.serving)
    secrets = _secrets(settings, duty.serving)
    store = open_store(settings)
    if duty.serving.models:
        await require_exclusive(store)
    work = _work(settings, duty, store, providers, secrets, telemetry)
    if duty.apart:
        real = [vendor for vendor in providers if vendor not in SIMULATED_VENDORS]
        simulated = [SIMULATED] if duty.serving.takes(SIMULATED) else []
        queues = separate_queues(work, [*real, *simulated], _limits(settings, duty.serving))
    else:
        queues = shared_queues(work)
    boundary = ErrorBoundary(secrets, telemetry)
    workers = [_worker(client, queue, boundary, duty.build_id) for queue in queues]
    return WorkerSet(queues=queues, workers=workers, providers=providers, store=store, secrets=secrets)


def _providers(settings: Settings, serving: Serving) -> dict[str, Provider]:
    """Keys are only looked for where calls are made."""
    if not serving.models:
        return {}
    for vendor in serving.vendors or ():
        if vendor != SIMULATED and vendor not in settings.vendors:
            reason = settings.unusable.get(vendor, "there is no such vendor")
            raise UserInputError(f"this worker is to ask models of {vendor[:60]!r}, but cannot: {reason}")
    providers: dict[str, Provider] = {
        vendor: open_provider(given) for vendor, given in settings.vendors.items() if serving.takes(vendor)
    }
    if serving.takes(SIMULATED):
        providers |= {vendor: open_simulated(vendor, settings.simulation) for vendor in SIMULATED_VENDORS}
    return providers


def _limits(settings: Settings, serving: Serving) -> dict[str, float]:
    """A limit that is spelt wrong would be none."""
    unknown = [vendor for vendor in settings.rate_limits if vendor != SIMULATED and vendor not in settings.definitions]
    if serving.models and unknown:
        raise UserInputError(f"{RATE_LIMITS}: there is no vendor {', '.join(unknown)}")
    return settings.rate_limits


def _secrets(settings: Settings, serving: Serving) -> tuple[str, ...]:
    if not serving.models:
        return ()
    return tuple(vendor.api_key.get_secret_value() for vendor in settings.vendors.values())


def _work(
    settings: Settings,
    duty: Duty,
    store: ArtifactStore,
    providers: dict[str, Provider],
    secrets: tuple[str, ...],
    telemetry: Telemetry,
) -> Work:
    """The workflows and activities of the parts that are served."""
    serving = duty.serving
    journal = Journal(store, owner=process_owner())
    calls: tuple[Activity, ...] = ()
    tools: tuple[Activity, ...] = ()
    pretended: dict[str, Provider] = {MOCK_VENDOR: MockVendor()} if serving.takes(SIMULATED) else {}
    with_mock = {**providers, **pretended}
    # A process that only decides starts nothing.
    sandbox = Sandbox.detect(settings, ToolEnvironment(settings)) if serving.models or serving.tools else None
    if serving.models and sandbox is not None:
        calls = call_activities(
            ModelActivities(store, journal, providers, secrets, sandbox, telemetry),
            StepActivities(store, journal, with_mock, secrets, telemetry),
        )
    if serving.tools and sandbox is not None:
        begin_counting(telemetry)
        telemetry.add(SANDBOX, 1 if sandbox.kind else 0, {"kind": sandbox.kind or "none"})
        environments = Environments(settings)
        own = ToolActivities(store, journal, sandbox, environments, tuple(providers), telemetry)
        pipelines = PipelineToolActivities(store, tuple(with_mock), telemetry)
        delivery = DeliveryActivities(store, settings)
        batches = BatchActivities(store, journal, telemetry)
        tools = (
            *tool_activities(own),
            *pipeline_activities(pipelines),
            *batch_activities(batches),
            *delivery_activities(delivery),
        )
    return Work(workflows=WORKFLOWS if serving.workflows else (), calls=calls, tools=tools)


def _worker(client: Client, queue: Queue, boundary: ErrorBoundary, build_id: str) -> Worker:
    pollers: PollerBehavior = _VENDOR_POLLERS if queue.is_vendor else _POLLERS
    return Worker(
        client,
        task_queue=queue.name,
        workflows=upgrading(queue.workflows) if build_id else queue.workflows,
        activities=queue.activities,
        interceptors=[boundary],
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        activity_task_poller_behavior=pollers,
        max_concurrent_activities=4 * TOOL_SLOTS if queue.name == QUEUE_TOOLS else MAX_CALLS,
        max_task_queue_activities_per_second=queue.per_second,
        graceful_shutdown_timeout=GRACE,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        deployment_config=_version(build_id) if build_id else None,
    )


def _version(build_id: str) -> WorkerDeploymentConfig:
    """A run stays with the code that it began with: no change of the code can break its history."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
