"""The task queues of a worker process, and what each is served with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.batches import BatchActivities
from activities.delivery import DeliveryActivities
from activities.model_calls import ModelActivities
from activities.pipeline_calls import StepActivities
from activities.pipeline_tools import PipelineToolActivities
from activities.tools import ToolActivities
from orchestrator.contracts.names import QUEUE_MODELS, QUEUE_TOOLS, QUEUE_WORKFLOWS, vendor_queue
from workflows.batch import BatchWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.project import ProjectWorkflow
from workflows.upgrading import UpgradingBatchWorkflow

WORKFLOWS: tuple[type, ...] = (ProjectWorkflow, PipelineWorkflow, BatchWorkflow)
_UPGRADING: dict[type, type] = {BatchWorkflow: UpgradingBatchWorkflow}

Activity = Callable[..., Any]


@dataclass(frozen=True)
class Queue:
    """One task queue. `per_second` limits its activities, in all processes that serve it together."""

    name: str
    workflows: tuple[type, ...] = ()
    activities: tuple[Activity, ...] = ()
    is_vendor: bool = False
    per_second: float | None = None


@dataclass(frozen=True)
class Work:
    """What this process can do; empty where it serves no such queue."""

    workflows: tuple[type, ...] = ()
    calls: tuple[Activity, ...] = ()
    tools: tuple[Activity, ...] = ()


def upgrading(workflows: Sequence[type]) -> list[type]:
    """The same workflows as workers with a build id serve them."""
    return [_UPGRADING.get(each, each) for each in workflows]


def shared_queues(work: Work) -> list[Queue]:
    """Where one process does everything: it gets a call together with the decision to make it."""
    assert QUEUE_MODELS == QUEUE_WORKFLOWS
    return [
        Queue(QUEUE_WORKFLOWS, workflows=work.workflows, activities=work.calls),
        Queue(QUEUE_TOOLS, activities=work.tools),
    ]


def separate_queues(work: Work, vendors: Iterable[str], per_second: Mapping[str, float]) -> list[Queue]:
    """In a cluster: workflows, tools, and a queue for each of `vendors`."""
    queues = [
        Queue(QUEUE_WORKFLOWS, workflows=work.workflows),
        Queue(QUEUE_TOOLS, activities=work.tools),
        *(
            Queue(vendor_queue(vendor), activities=work.calls, is_vendor=True, per_second=per_second.get(vendor))
            for vendor in vendors
        ),
    ]
    return [queue for queue in queues if queue.workflows or queue.activities]


def model_activities(models: ModelActivities) -> list[Activity]:
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


def call_activities(models: ModelActivities, steps: StepActivities) -> tuple[Activity, ...]:
    """All that ask a model."""
    return (*model_activities(models), steps.llm)


def tool_activities(tools: ToolActivities) -> list[Activity]:
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


def batch_activities(batches: BatchActivities) -> list[Activity]:
    """All that a batch needs besides its projects."""
    return [batches.open, batches.load, batches.look, batches.publish]


def pipeline_activities(pipelines: PipelineToolActivities) -> list[Activity]:
    """All that a pipeline needs besides models."""
    return [
        pipelines.prepare,
        pipelines.test,
        pipelines.expand,
        pipelines.transform,
        pipelines.assemble,
        pipelines.publish,
    ]


def delivery_activities(delivery: DeliveryActivities) -> list[Activity]:
    """All that hands results on, and the money of schedules."""
    return [delivery.files, delivery.webhook, delivery.command, delivery.reserve, delivery.settle]
