"""Puts one worker process together: store, journal, vendors, sandbox, and a Temporal worker per queue."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from activities.model_calls import ModelActivities
from activities.pipeline_calls import StepActivities
from activities.pipeline_mock import MockVendor
from activities.pipeline_tools import PipelineToolActivities
from activities.tools import ToolActivities
from orchestrator.artifacts.journal import Journal, process_owner
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.names import QUEUE_TOOLS, QUEUE_WORKFLOWS
from orchestrator.contracts.pipeline import MOCK_VENDOR
from orchestrator.providers.base import Provider
from orchestrator.providers.registry import open_provider
from orchestrator.providers.simulated import open_simulated
from orchestrator.settings import Settings
from orchestrator.settings.simulated import SIMULATED_VENDORS
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from workflows.pipeline import PipelineWorkflow
from workflows.project import ProjectWorkflow

MAX_CALLS = 200
TOOL_SLOTS = max(2, os.cpu_count() or 2)
STICKY_TIMEOUT = timedelta(seconds=2)
# The SDK would hold heartbeats back for most of their timeout, and with them the news of a cancellation.
HEARTBEAT_THROTTLE = timedelta(seconds=1)
# Calls in flight may finish after SIGTERM: longer than the longest answer.
GRACE = timedelta(minutes=15)


@dataclass
class WorkerSet:
    """The workers of one process and what they share."""

    workers: list[Worker]
    providers: dict[str, Provider]

    async def close(self) -> None:
        """Close the vendors' connections."""
        for provider in self.providers.values():
            await provider.aclose()


async def build(settings: Settings, client: Client) -> WorkerSet:
    """All workers of this process, not yet running."""
    store = ArtifactStore.open(settings.store_url)
    journal = Journal(store, owner=process_owner())
    providers: dict[str, Provider] = {
        vendor: open_provider(vendor_settings) for vendor, vendor_settings in settings.vendors.items()
    }
    for vendor in SIMULATED_VENDORS:
        providers[vendor] = open_simulated(vendor, settings.simulation)
    secrets = tuple(vendor.api_key.get_secret_value() for vendor in settings.vendors.values())
    sandbox = Sandbox.detect(settings, ToolEnvironment(settings))
    models = ModelActivities(store=store, journal=journal, providers=providers, secrets=secrets, sandbox=sandbox)
    tools = ToolActivities(
        store=store,
        journal=journal,
        sandbox=sandbox,
        environments=Environments(settings),
        vendors=tuple(providers),
    )
    with_mock = {**providers, MOCK_VENDOR: MockVendor()}
    steps = StepActivities(store=store, journal=journal, providers=with_mock, secrets=secrets)
    pipelines = PipelineToolActivities(store=store, vendors=tuple(with_mock))
    boundary = ErrorBoundary(secrets)
    workers = [
        Worker(
            client,
            task_queue=QUEUE_WORKFLOWS,
            workflows=[ProjectWorkflow, PipelineWorkflow],
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
            activities=[*model_activities(models), steps.llm],
            interceptors=[boundary],
            max_concurrent_activities=MAX_CALLS,
            graceful_shutdown_timeout=GRACE,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
        Worker(
            client,
            task_queue=QUEUE_TOOLS,
            activities=[
                *tool_activities(tools),
                pipelines.prepare,
                pipelines.test,
                pipelines.expand,
                pipelines.transform,
                pipelines.assemble,
                pipelines.publish,
            ],
            interceptors=[boundary],
            max_concurrent_activities=4 * TOOL_SLOTS,
            graceful_shutdown_timeout=GRACE,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        ),
    ]
    return WorkerSet(workers=workers, providers=providers)


def model_activities(models: ModelActivities) -> list[Callable[..., Any]]:
    """All that ask a model for a project."""
    return [
        models.enhance,
        models.advise,
        models.plan,
        models.generate,
        models.critique,
        models.revise,
        models.evaluate,
        models.repair,
        models.judge,
    ]


def tool_activities(tools: ToolActivities) -> list[Callable[..., Any]]:
    """All that run tools or touch the store for a project."""
    return [
        tools.prepare,
        tools.apply_suggestions,
        tools.scaffold,
        tools.validate,
        tools.check,
        tools.install,
        tools.store_text,
        tools.save_state,
        tools.reconcile,
        tools.publish,
    ]
