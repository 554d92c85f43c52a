"""A run as its user sees it: the JSON object, the block of text, the exit code."""

from typing import Any

import typer

from cli.console import columns
from orchestrator.contracts.batch import BatchView
from orchestrator.contracts.project import ProjectStatus, ProjectView, TaskView
from orchestrator.domain.advising import described
from orchestrator.domain.apps import Architecture
from orchestrator.domain.criteria import CriterionResult
from orchestrator.domain.money import usd
from orchestrator.domain.text import duration, one_line

SIMULATED_NOTICE = "simulated models do the work: no real model is asked, and nothing is paid"

_EXIT_CODES = {
    ProjectStatus.SUCCESS: 0,
    ProjectStatus.COMPLETED_DEGRADED: 3,
    ProjectStatus.PARTIAL_SUCCESS: 4,
    ProjectStatus.BUDGET_EXHAUSTED: 5,
    ProjectStatus.TIMEOUT: 6,
    ProjectStatus.SYSTEM_FAILURE: 7,
    ProjectStatus.CANCELLED: 8,
}
_COLOURS = {ProjectStatus.SUCCESS: "green", ProjectStatus.SYSTEM_FAILURE: "red"}
_MAX_TASK_LINES = 60


def is_closed(status: ProjectStatus) -> bool:
    """Whether a run with this status has ended."""
    return status in _EXIT_CODES


def exit_code(status: ProjectStatus) -> int:
    """The exit code of a command that waited for the run; 0 where the run has not ended."""
    return _EXIT_CODES.get(status, 0)


def result_object(view: ProjectView, output_dir: str | None) -> dict[str, Any]:
    """The object of `start --json`, `status --json` and `watch --json`; its keys are stable."""
    return {
        "project_id": view.project_id,
        "workflow_id": view.workflow_id,
        "status": view.status.value,
        "spent_usd": usd(view.spent_micro),
        "uncertain_usd": usd(view.uncertain_micro),
        "reserved_usd": usd(view.reserved_micro),
        "max_usd": usd(view.max_micro),
        "quality_score": view.quality_score,
        "calls": view.calls,
        "elapsed_s": round(view.elapsed_s, 3),
        "output_dir": output_dir,
        "simulated": view.simulated,
        "reason": view.reason,
        "architecture": view.architecture.model_dump(mode="json") if view.architecture else None,
        "criteria": [criterion.model_dump(exclude={"file"}) for criterion in view.criteria],
        "tasks": [_task_object(task) for task in view.tasks],
    }


def _task_object(task: TaskView) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "type": task.type.value,
        "status": task.status,
        "score": task.score,
        "model": task.model,
        "reviewer": task.reviewer,
        "iterations": task.iterations,
        "spent_usd": usd(task.spent_micro),
        "files": list(task.files),
    }


def result_block(view: ProjectView, output_dir: str | None) -> str:
    """The run as text for a reader: status, why, what it cost, where it lies, how to try it."""
    status = typer.style(view.status.value, fg=_COLOURS.get(view.status, "yellow"), bold=True)
    lines = ["", f"{status}  {view.project_id}", *columns(_facts(view, output_dir))]
    lines += ["", *columns([_criterion_row(criterion) for criterion in view.criteria])] if view.criteria else []
    lines += ["", *columns([_task_row(task) for task in view.tasks[:_MAX_TASK_LINES]])] if view.tasks else []
    if len(view.tasks) > _MAX_TASK_LINES:
        lines.append(f"  … and {len(view.tasks) - _MAX_TASK_LINES} more tasks")
    return "\n".join(lines)


def _facts(view: ProjectView, output_dir: str | None) -> list[tuple[str, ...]]:
    facts: list[tuple[str, ...]] = [("simulated", SIMULATED_NOTICE)] if view.simulated else []
    if view.reason:
        facts.append(("why", one_line(view.reason, 400)))
    facts += [("note", one_line(note, 400)) for note in view.notes]
    if view.sandbox == "unsafe":
        facts.append(("unsafe", "generated code ran without a sandbox (ORCH_SANDBOX=unsafe)"))
    facts += _architecture(view.architecture) if view.architecture else []
    facts.append(("tasks", f"{view.tasks_done} of {view.tasks_total} done"))
    facts.append(("spent", spending(view)))
    if view.quality_score is not None:
        facts.append(("score", f"{view.quality_score:.2f}"))
    facts.append(("time", f"{duration(view.elapsed_s)}, {view.calls} model calls"))
    if view.output_dir:
        facts.append(("delivered", one_line(view.output_dir, 400)))
    if output_dir:
        facts.append(("output", output_dir))
        facts += [("tests", f"cd {_quoted(output_dir)} && python -m pytest")] if _has_tests(view) else []
    return facts


def _criterion_row(criterion: CriterionResult) -> tuple[str, ...]:
    met = {True: "met", False: "NOT met", None: "not judged"}[criterion.met]
    return met, one_line(criterion.text, 80), one_line(criterion.evidence, 100)


def _architecture(architecture: Architecture) -> list[tuple[str, ...]]:
    """Kind, design and parts on one line; then how it is built and run."""
    shown = dict(described(architecture))
    shown.pop("test", None)
    commands = [(label, shown.pop(label)) for label in ("build", "run") if label in shown]
    app_type = shown.pop("app type")
    return [("app", ": ".join((app_type, ", ".join(shown.values()))).removesuffix(": ")), *commands]


def architecture_block(architecture: Architecture) -> str:
    """All that is decided, and why."""
    why = one_line(architecture.rationale, 2000)
    rows = [*described(architecture), *((("why", why),) if why else ())]
    return "\n".join(("Architecture", *columns(rows)))


def _task_row(task: TaskView) -> tuple[str, ...]:
    return (
        one_line(task.id, 20),
        one_line(task.stage if task.stage and task.status == "RUNNING" else task.status, 44),
        "-" if task.score is None else f"{task.score:.2f}",
        money(task.spent_micro),
        one_line(task.model, 40) + (f" (review {one_line(task.reviewer, 40)})" if task.reviewer else ""),
        one_line(task.title, 60) + (f": {one_line(task.reason, 100)}" if task.reason else ""),
    )


def _has_tests(view: ProjectView) -> bool:
    names = [path.rsplit("/", 1)[-1] for task in view.tasks for path in task.files]
    return any(name.startswith("test_") and name.endswith(".py") for name in names)


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)


def money(micro: int) -> str:
    """Micro-USD for a reader: at least cents, at most micro-dollars."""
    whole, _, fraction = f"{usd(micro):.6f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def spending(view: ProjectView | BatchView) -> str:
    """Spend against the cap, with what is reserved and what is uncertain where there is any."""
    parts = [f"{money(view.spent_micro)} of {money(view.max_micro)}"]
    if view.reserved_micro:
        parts.append(f"{money(view.reserved_micro)} reserved")
    if view.uncertain_micro:
        parts.append(f"{money(view.uncertain_micro)} uncertain")
    return ", ".join(parts)
