"""What telemetry learns of a run when it has ended: from its event log, once, where its results are published."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pydantic import ValidationError

from orchestrator.artifacts.store import ArtifactError, ArtifactStore, ArtifactUnavailableError
from orchestrator.contracts.batch import BatchView
from orchestrator.contracts.names import pipeline_workflow_id
from orchestrator.contracts.pipeline import PipelineInput, PublishRun
from orchestrator.contracts.project import Event, ProjectView, TaskView
from orchestrator.contracts.tools import PublishInput
from orchestrator.domain.money import NO_CAP_MICRO, usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.pipeline_state import StepStatus
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.steps import TaskStatus
from orchestrator.domain.tasks import PROJECT
from orchestrator.telemetry import instruments, spans
from orchestrator.telemetry.spans import Attribute, Span
from orchestrator.telemetry.telemetry import SILENT, Telemetry

logger = logging.getLogger(__name__)

_GOOD_ENDS = (ProjectStatus.SUCCESS, ProjectStatus.COMPLETED_DEGRADED, ProjectStatus.CANCELLED)
_BAD_ENDS = (
    ProjectStatus.SYSTEM_FAILURE,
    ProjectStatus.TIMEOUT,
    ProjectStatus.BUDGET_EXHAUSTED,
    ProjectStatus.PARTIAL_SUCCESS,
)
_TOLD_BY_SPANS = ("started", "finished", "call_started", "call_settled", "task_")
_MAX_MOMENTS = 100
_MAX_TASKS = 1_000  # of a run: more at once would not fit into the exporter's queue


@dataclass(frozen=True)
class _Run:
    """Events of a run since it was started or last resumed. `resumption` counts the ends before that.

    `told`: tasks whose spans were written at an earlier end.
    """

    events: Sequence[Event]
    resumption: int
    told: frozenset[str]

    @property
    def start_s(self) -> float:
        return self.events[0].time_s

    @property
    def end_s(self) -> float:
        return self.events[-1].time_s

    def of(self, task: str) -> list[Event]:
        return [event for event in self.events if event.task == task]


def begin_counting(telemetry: Telemetry) -> None:
    """All ends of runs exist at zero: a counter that appears with its first event hides it from Prometheus."""
    for kind in ("project", "pipeline", "batch"):
        for status in (*_GOOD_ENDS, *_BAD_ENDS):
            telemetry.add(instruments.RUNS, 0, {"kind": kind, "status": status.value})


async def tell_project(telemetry: Telemetry, store: ArtifactStore, given: PublishInput, log: BlobRef | None) -> None:
    """A project's run has ended and its results are published; `log` is its event log."""
    logger.info("results published")
    run = await _read(telemetry, store, log)
    if run is None:
        return
    view = ProjectView.model_validate_json(given.view_json)
    _count(telemetry, "project", view.status, run)
    for task in view.tasks:
        telemetry.add(instruments.TASKS, 1, {"type": task.type.value, "status": task.status})
    if not telemetry.traces:
        return
    trace = spans.trace_id(given.namespace, given.project)
    telemetry.emit(_root("project", trace, run, view.status, _of_project(given, view)))
    for task in view.tasks[:_MAX_TASKS]:
        span = _task(trace, run, task.id, "task")
        if span is not None:
            failed = task.status == TaskStatus.FAILED.value
            telemetry.emit(replace(span, attributes=_of_task(task), error="failed" if failed else ""))


async def tell_pipeline(telemetry: Telemetry, store: ArtifactStore, given: PublishRun, log: BlobRef) -> None:
    """A pipeline's run has ended and its logs are kept; `log` is its event log."""
    run = await _read(telemetry, store, log)
    if run is None:
        return
    ended = PipelineInput.model_validate_json(given.input_json)
    assert ended.state is not None
    status = ended.state.phase
    _count(telemetry, "pipeline", status, run)
    if not telemetry.traces:
        return
    trace = spans.trace_id(given.namespace, given.run_id)
    telemetry.emit(_root("pipeline", trace, run, status, _of_pipeline(given, ended)))
    labels = dict.fromkeys(event.task for event in run.events if event.task)
    for label in islice(labels, _MAX_TASKS):
        span = _task(trace, run, label, "step")
        if span is not None:
            statuses = [event.kind for event in run.of(label) if event.kind.startswith("task_")]
            last = statuses[-1].removeprefix("task_").upper() if statuses else ""
            failed = last == StepStatus.FAILED.value
            attributes = {"orch.task.id": label, "orch.status": last}
            telemetry.emit(replace(span, attributes=attributes, error="failed" if failed else ""))


def tell_batch(telemetry: Telemetry, view: BatchView) -> None:
    """A batch has ended. Its projects have traces of their own."""
    labels = {"kind": "batch", "status": view.status.value}
    telemetry.add(instruments.RUNS, 1, labels)
    telemetry.add(instruments.RUN_DURATION, view.elapsed_s, labels)


async def _read(telemetry: Telemetry, store: ArtifactStore, log: BlobRef | None) -> _Run | None:
    """The run's last part; None where nobody listens, or its log is lost, which must not spoil the run."""
    if telemetry is SILENT or log is None:
        return None
    try:
        lines = (await store.get(log)).decode().splitlines()
        events = [Event.model_validate_json(line) for line in lines]
    except (ArtifactError, ArtifactUnavailableError, ValidationError) as error:
        logger.warning("telemetry lacks a run: %s", error)
        return None
    start, resumption, ended = 0, 0, False
    for index, event in enumerate(events):
        if event.kind == "finished":
            ended = True
        elif event.kind == "restarted" and ended:
            start, resumption, ended = index, resumption + 1, False
    if not events[start:]:
        return None
    return _Run(events[start:], resumption, frozenset(event.task for event in events[:start]))


def _count(telemetry: Telemetry, kind: str, status: ProjectStatus, run: _Run) -> None:
    labels = {"kind": kind, "status": status.value}
    telemetry.add(instruments.RUNS, 1, labels)
    telemetry.add(instruments.RUN_DURATION, max(0.0, run.end_s - run.start_s), labels)
    for event in run.events:
        if event.kind == "breaker_opened":  # its text is `vendor: reason` or `vendor:model: reason`
            telemetry.add(instruments.BREAKER_OPENINGS, 1, {"vendor": event.text.partition(":")[0]})


def _root(kind: str, trace: int, run: _Run, status: ProjectStatus, attributes: Mapping[str, Attribute]) -> Span:
    own = run.of("") + run.of(PROJECT)
    return Span(
        name=kind,
        trace_id=trace,
        span_id=spans.root_id(trace, run.resumption),
        parent_id=spans.root_id(trace) if run.resumption else None,
        start_s=run.start_s,
        end_s=run.end_s,
        attributes={"orch.run.kind": kind, "orch.status": status.value, **attributes},
        error=status.value.lower() if status in _BAD_ENDS else "",
        moments=_moments(sorted(own, key=lambda event: event.seq)),
    )


def _task(trace: int, run: _Run, label: str, kind: str) -> Span | None:
    """The span of a task or a step that did anything in this part of the run, unless an earlier part wrote it."""
    events = run.of(label)
    if not events or label in run.told:
        return None
    holder = label.rpartition(".")[0]
    inside = holder[: holder.rindex("[")] if holder.endswith("]") else holder
    return Span(
        name=f"{kind} {label}",
        trace_id=trace,
        span_id=spans.task_id(trace, label),
        parent_id=spans.task_id(trace, inside) if inside and kind == "step" else spans.root_id(trace, run.resumption),
        start_s=events[0].time_s,
        end_s=events[-1].time_s,
        moments=_moments(events),
    )


def _moments(events: Sequence[Event]) -> tuple[tuple[str, float], ...]:
    return tuple((event.kind, event.time_s) for event in events if not event.kind.startswith(_TOLD_BY_SPANS))[
        :_MAX_MOMENTS
    ]


def _of_project(given: PublishInput, view: ProjectView) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "orch.run.id": given.project,
        "temporalWorkflowID": view.workflow_id,
        "orch.namespace": given.namespace,
        "orch.cost.usd": usd(view.spent_micro),
        "orch.uncertain.usd": usd(view.uncertain_micro),
        "orch.budget.usd": usd(view.max_micro),
        "orch.calls": view.calls,
        "orch.tasks": view.tasks_total,
        "orch.simulated": view.simulated,
        "orch.sandbox": view.sandbox or "none",
    }
    if view.quality_score is not None:
        found["orch.quality"] = view.quality_score
    if view.architecture is not None:
        found["orch.app_type"] = view.architecture.app_type.value
    return found


def _of_task(task: TaskView) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "orch.task.id": task.id,
        "orch.task.type": task.type.value,
        "orch.status": task.status,
        "orch.iterations": task.iterations,
        "orch.cost.usd": usd(task.spent_micro),
        "orch.uncertain.usd": usd(task.uncertain_micro),
    }
    if task.score is not None:
        found["orch.score"] = task.score
    return found | ({"orch.model": task.model} if task.model else {})


def _of_pipeline(given: PublishRun, ended: PipelineInput) -> dict[str, Attribute]:
    assert ended.state is not None
    ledger = ended.state.ledger
    found: dict[str, Attribute] = {
        "orch.run.id": given.run_id,
        "temporalWorkflowID": pipeline_workflow_id(given.run_id),
        "orch.namespace": given.namespace,
        "orch.pipeline": ended.spec.plan.spec.name or "pipeline",
        "orch.cost.usd": usd(ledger.spent_micro),
        "orch.uncertain.usd": usd(ledger.uncertain_micro),
    }
    return found | ({"orch.budget.usd": usd(ledger.max_micro)} if ledger.max_micro < NO_CAP_MICRO else {})
