"""What is told of a run when it ends: from its event log, once, resumed runs included."""

import asyncio
from pathlib import Path

from activities.run_telemetry import begin_counting, tell_pipeline, tell_project
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.pipeline import PipelineInput, PipelineMemory, PipelineRunSpec, PublishRun
from orchestrator.contracts.project import Event, ProjectView, TaskView
from orchestrator.contracts.tools import PublishInput
from orchestrator.domain.clock import Clock
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import TaskType
from orchestrator.pipelines.loader import parse_pipeline
from orchestrator.pipelines.validation import plan_of
from orchestrator.telemetry import instruments, spans
from orchestrator.telemetry.spans import Span
from tests.telemetry.collector import Ear

TRACE = spans.trace_id("default", "p1")
FIRST = (
    ("started", "", "budget"),
    ("call_started", "project", "plan"),
    ("call_started", "t1", "generate"),
    ("breaker_opened", "", "openai: 500"),
    ("breaker_opened", "", "openai:gpt-6: 429"),
    ("task_failed", "t1", "FAILED: the zebra"),
    ("finished", "", "SYSTEM_FAILURE"),
)
SECOND = (
    ("restarted", "", "goes on"),
    ("call_started", "t1", "generate"),
    ("validated", "t1", "the zebra"),
    ("task_completed", "t1", "COMPLETED"),
    ("call_started", "t2", "generate"),
    ("task_degraded", "t2", "DEGRADED"),
    ("finished", "", "COMPLETED_DEGRADED"),
)


def events(*told: tuple[str, str, str]) -> list[Event]:
    """One a second."""
    return [
        Event(seq=number, time_s=float(number), kind=kind, task=task, text=text)
        for number, (kind, task, text) in enumerate(told, start=1)
    ]


def task(name: str, status: str) -> TaskView:
    return TaskView(id=name, title="The zebra", type=TaskType.CODE_GENERATION, status=status, score=0.5)


def view(status: ProjectStatus, *tasks: TaskView) -> ProjectView:
    return ProjectView(
        project_id="p1",
        workflow_id="project-p1",
        status=status,
        spent_micro=1_500_000,
        uncertain_micro=0,
        reserved_micro=0,
        max_micro=2_000_000,
        quality_score=0.5,
        calls=3,
        elapsed_s=9,
        simulated=False,
        tasks=tasks,
    )


def told(tmp_path: Path, log: list[Event], seen: ProjectView) -> Ear:
    async def scenario() -> Ear:
        store, ear = ArtifactStore.open(tmp_path.as_uri()), Ear()
        ref = await store.put("".join(f"{event.model_dump_json()}\n" for event in log).encode())
        given = PublishInput(
            namespace="default", project="p1", view_json=seen.model_dump_json(), project_text=None, criteria=None,
            plan=(), drafts={}, calls=(), events=(), findings=None,
        )  # fmt: skip
        await tell_project(ear, store, given, ref)
        return ear

    return asyncio.run(scenario())


def by_name(ear: Ear) -> dict[str, Span]:
    assert len({span.name for span in ear.spans}) == len(ear.spans)
    return {span.name: span for span in ear.spans}


def test_a_run_that_failed(tmp_path: Path) -> None:
    ear = told(
        tmp_path, events(*FIRST), view(ProjectStatus.SYSTEM_FAILURE, task("t1", "FAILED"), task("t2", "SKIPPED"))
    )
    found = by_name(ear)
    root, first = found["project"], found["task t1"]
    assert found.keys() == {"project", "task t1"}, "t2 did nothing"
    assert (root.span_id, root.parent_id, root.start_s, root.end_s) == (spans.root_id(TRACE), None, 1.0, 7.0)
    assert root.error == "system_failure"
    assert root.moments == (("breaker_opened", 4.0), ("breaker_opened", 5.0))
    assert (first.span_id, first.parent_id) == (spans.task_id(TRACE, "t1"), root.span_id)
    assert (first.start_s, first.end_s, first.error) == (3.0, 6.0, "failed")
    assert root.attributes["orch.cost.usd"] == 1.5
    assert "zebra" not in str(ear.spans)
    assert ear.of(instruments.RUNS) == {("project", "SYSTEM_FAILURE"): 1}
    assert ear.of(instruments.RUN_DURATION) == {("project", "SYSTEM_FAILURE"): 6.0}
    assert ear.of(instruments.TASKS) == {("code_generation", "FAILED"): 1, ("code_generation", "SKIPPED"): 1}
    assert ear.of(instruments.BREAKER_OPENINGS) == {("openai",): 2}


def test_a_resumed_run_tells_what_is_new(tmp_path: Path) -> None:
    seen = view(ProjectStatus.COMPLETED_DEGRADED, task("t1", "COMPLETED"), task("t2", "DEGRADED"))
    ear = told(tmp_path, events(*FIRST, *SECOND), seen)
    found = by_name(ear)
    again, second = found["project"], found["task t2"]
    assert found.keys() == {"project", "task t2"}, "the first end told of t1"
    assert (again.parent_id, again.error) == (spans.root_id(TRACE), "")
    assert again.span_id == spans.root_id(TRACE, 1) != spans.root_id(TRACE)
    assert (again.start_s, again.end_s) == (8.0, 14.0)
    assert second.parent_id == again.span_id
    assert ear.of(instruments.BREAKER_OPENINGS) == {}


def test_a_run_that_goes_on_without_having_ended_is_one(tmp_path: Path) -> None:
    """As one that was terminated: nothing of it was told yet."""
    seen = view(ProjectStatus.COMPLETED_DEGRADED, task("t1", "COMPLETED"), task("t2", "DEGRADED"))
    found = by_name(told(tmp_path, events(*FIRST[:-1], *SECOND), seen))
    assert found.keys() == {"project", "task t1", "task t2"}
    assert (found["project"].parent_id, found["project"].start_s) == (None, 1.0)


def test_every_end_of_a_run_is_counted_from_zero() -> None:
    ear = Ear()
    begin_counting(ear)
    counted = ear.of(instruments.RUNS)
    assert {status for _, status in counted} == {status.value for status in list(ProjectStatus)[5:]}
    assert set(counted.values()) == {0}


def test_a_log_that_is_lost_spoils_nothing(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = ArtifactStore.open(tmp_path.as_uri()), Ear()
        given = PublishRun(namespace="default", run_id="r1", input_json="", calls=(), events=())
        await tell_pipeline(ear, store, given, BlobRef(sha256="0" * 64, size=1))
        return ear

    assert asyncio.run(scenario()).spans == []


def test_steps_of_a_pipeline_stand_below_those_that_hold_them(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = ArtifactStore.open(tmp_path.as_uri()), Ear()
        log = events(
            ("started", "", ""),
            ("task_running", "all", ""),
            ("task_running", "all[0].one", ""),
            ("task_failed", "all[0].one", "the zebra"),
            ("task_failed", "all", ""),
            ("finished", "", "SYSTEM_FAILURE"),
        )
        ref = await store.put("".join(f"{event.model_dump_json()}\n" for event in log).encode())
        plan = plan_of(parse_pipeline("name: night\nsteps:\n  - {name: a, model: gpt-5-mini, prompt: hello}\n"))
        memory = PipelineMemory(
            clock=Clock(started_s=1.0), ledger=Ledger(max_micro=5), phase=ProjectStatus.SYSTEM_FAILURE
        )
        ended = PipelineInput(spec=PipelineRunSpec(run_id="r1", plan=plan), state=memory, resumed=True)
        given = PublishRun(namespace="default", run_id="r1", input_json=ended.model_dump_json(), calls=(), events=())
        await tell_pipeline(ear, store, given, ref)
        return ear

    ear = asyncio.run(scenario())
    found = by_name(ear)
    assert found.keys() == {"pipeline", "step all", "step all[0].one"}
    assert found["step all[0].one"].parent_id == found["step all"].span_id
    assert found["step all"].parent_id == found["pipeline"].span_id
    assert found["step all[0].one"].error == "failed"
    assert found["pipeline"].attributes["orch.pipeline"] == "night"
    assert ear.of(instruments.RUNS) == {("pipeline", "SYSTEM_FAILURE"): 1}
