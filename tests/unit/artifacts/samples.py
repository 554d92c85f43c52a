"""A project run and its pieces, for the tests of this package."""

import json
from typing import TypedDict, Unpack

from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.publish import publish
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.project import Event, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.tools import CallRecord, PublishInput, PublishResult
from orchestrator.domain.findings import Finding
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import TaskSpec, TaskType

PROJECT = "p1"


def call(**changes: object) -> CallRecord:
    """An ordinary settled call."""
    values: dict[str, object] = {
        "key": "default/p1/t1/0/generate/1/-/1",
        "task": "t1",
        "stage": "generate",
        "iteration": 1,
        "role": "",
        "model": "v:m",
        "outcome": "answer",
        "cost_micro": 1_234,
        "uncertain_micro": 0,
        "input_tokens": 100,
        "output_tokens": 50,
        "latency_ms": 7,
    }
    return CallRecord.model_validate({**values, **changes})


def task_view(**changes: object) -> TaskView:
    """A completed task."""
    values: dict[str, object] = {
        "id": "t1",
        "title": "Write it",
        "type": TaskType.CODE_GENERATION,
        "status": "COMPLETED",
        "score": 0.93,
        "model": "v:m",
        "reviewer": "w:n",
        "iterations": 2,
        "spent_micro": 1_234,
        "spent_by_stage": {"generate": 1_234},
    }
    return TaskView.model_validate({**values, **changes})


def project_view(**changes: object) -> ProjectView:
    """A successful run of one task."""
    values: dict[str, object] = {
        "project_id": PROJECT,
        "workflow_id": f"project-{PROJECT}",
        "status": ProjectStatus.SUCCESS,
        "spent_micro": 1_301,
        "uncertain_micro": 0,
        "reserved_micro": 0,
        "max_micro": 2_000_000,
        "quality_score": 0.93,
        "calls": 2,
        "elapsed_s": 12.3456,
        "simulated": False,
        "tasks_done": 1,
        "tasks_total": 1,
        "tasks": (task_view(),),
        "spent_by_stage": {"plan": 67},
    }
    return ProjectView.model_validate({**values, **changes})


class RunDetails(TypedDict, total=False):
    """What else there is to publish."""

    view: ProjectView
    request: str
    original: str
    calls: tuple[CallRecord, ...]
    findings: tuple[Finding, ...]
    events: tuple[Event, ...]


async def published(
    store: ArtifactStore,
    files: dict[str, bytes],
    **details: Unpack[RunDetails],
) -> PublishResult:
    """Publishes a project of one task whose draft is `files`."""
    prompt = await store.put(b"do it")
    drafts = {"t1": await write_draft(store, files)} if files else {}
    return await publish(
        store,
        PublishInput(
            namespace="default",
            project=PROJECT,
            view_json=details.get("view", project_view()).model_dump_json(),
            project_text=await store.put(details.get("request", "Build it").encode()),
            criteria=await store.put(b"tests pass"),
            original_project=await store.put(details.get("original", details.get("request", "Build it")).encode()),
            original_criteria=await store.put(b"tests pass"),
            plan=(TaskSpec(id="t1", title="Write it", type=TaskType.CODE_GENERATION, prompt=prompt),),
            drafts=drafts,
            calls=(await _segment(store, details.get("calls", ())),),
            events=(await _segment(store, details.get("events", ())),),
            findings=await _segment(store, details.get("findings", ())),
        ),
    )


async def manifest_of(store: ArtifactStore, files: dict[str, bytes]) -> BlobRef:
    """Publishes the same; the manifest."""
    manifest = (await published(store, files)).manifest
    assert manifest
    return manifest


async def _segment(
    store: ArtifactStore, items: tuple[CallRecord, ...] | tuple[Finding, ...] | tuple[Event, ...]
) -> BlobRef:
    return await store.put(json.dumps([item.model_dump(mode="json") for item in items]).encode())
