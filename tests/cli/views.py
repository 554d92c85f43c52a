"""Runs and events as the client hands them to the command line."""

from typing import Any

from orchestrator.contracts.project import Event, ProjectStatus, ProjectView, TaskView
from orchestrator.domain.tasks import TaskType

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\r\n"


def task(**changes: Any) -> TaskView:
    values: dict[str, Any] = {
        "id": "t01",
        "title": "Limiter",
        "type": TaskType.CODE_GENERATION,
        "status": "COMPLETED",
        "score": 0.91,
        "model": "sim-a:one",
        "reviewer": "sim-b:two",
        "iterations": 2,
        "spent_micro": 1_234,
        "files": ("limiter.py", "tests/test_limiter.py"),
    }
    return TaskView(**{**values, **changes})


def view(status: ProjectStatus = ProjectStatus.SUCCESS, **changes: Any) -> ProjectView:
    values: dict[str, Any] = {
        "project_id": "limiter-ab12cd",
        "workflow_id": "project-limiter-ab12cd",
        "status": status,
        "spent_micro": 1_235,
        "uncertain_micro": 0,
        "reserved_micro": 0,
        "max_micro": 2_000_000,
        "quality_score": 0.91,
        "calls": 7,
        "elapsed_s": 12.3456,
        "simulated": True,
        "tasks_done": 1,
        "tasks_total": 1,
        "tasks": (task(),),
    }
    return ProjectView(**{**values, **changes})


def event(seq: int, text: str, **changes: Any) -> Event:
    return Event(**{"seq": seq, "time_s": 0.0, "kind": "call_settled", "task": "t01", "text": text, **changes})
