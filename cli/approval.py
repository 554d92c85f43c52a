"""A plan before a person: shown as a table, approved, edited or refused."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cli.console import columns, say
from cli.dialogue import ask, edit
from cli.session import operator
from orchestrator.client.facade import OrchClient
from orchestrator.client.plan_file import load_plan
from orchestrator.client.plan_text import plan_yaml
from orchestrator.contracts.messages import ApprovePlan
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line

_SHOWN_TASKS = 100


def plan_lines(tasks: Sequence[PlannedTask], limit: int = _SHOWN_TASKS) -> list[str]:
    """The plan as a table of at most `limit` tasks."""
    head = ("task", "type", "after", "files", "checks", "title")
    lines = columns([head, *(_row(task) for task in tasks[:limit])])
    return lines if len(tasks) <= limit else [*lines, f"  … and {len(tasks) - limit} more tasks"]


def _row(task: PlannedTask) -> tuple[str, ...]:
    return (
        one_line(task.id, 24),
        task.type.value,
        one_line(", ".join(task.dependencies), 40) or "-",
        one_line(", ".join(task.files), 48) or "-",
        one_line(", ".join(task.validators), 40) or "-",
        one_line(task.title, 60),
    )


def how_to_approve(project_id: str) -> tuple[str, str]:
    """The two commands that decide about a plan, for whoever is not at a terminal."""
    edited = f"orch-cli plan {project_id} --yaml > plan.yaml; orch-cli approve {project_id} --plan plan.yaml"
    return f"approve the plan:  orch-cli approve {project_id}", f"or edit it first:  {edited}"


class Editor:
    """The plan that is being decided about, and the file in which the user edits it."""

    def __init__(self, project_id: str, tasks: tuple[PlannedTask, ...], *, edited: bool = False) -> None:
        self.project_id = project_id
        self.tasks = tasks
        self.edited = edited
        self._file: Path | None = None

    async def edit(self) -> None:
        """Let the user edit; a file with a mistake stays as it is, to be mended. Raises UserInputError."""
        if self._file is None:
            self._file = Path(tempfile.mkdtemp(prefix="orch-plan-")) / f"{self.project_id}.yaml"
            self._file.write_text(plan_yaml(self.tasks), encoding="utf-8")
        await edit(self._file)
        tasks = load_plan(self._file)
        self.edited = self.edited or tasks != self.tasks
        self.tasks = tasks

    def close(self) -> None:
        """Drop the file."""
        if self._file is not None:
            shutil.rmtree(self._file.parent, ignore_errors=True)
            self._file = None


async def ask_about_plan(client: OrchClient, editor: Editor, *, no: str) -> str | None:
    """Show the plan and ask until it is approved (what the run says then) or refused (None). `no` says what `n` does.

    A mistake in an edited plan, or a reason of the run against it, leads to the question again.
    Raises InputEndedError where nobody answers any more.
    """
    shown: tuple[PlannedTask, ...] | None = None
    try:
        while True:
            if shown != editor.tasks:
                shown = editor.tasks
                say(f"The plan of {editor.project_id}:")
                for line in plan_lines(shown):
                    say(line)
            answer = await ask(f"Approve this plan? [y] approve  [e] edit it  [n] {no}:")
            try:
                match answer.lower():
                    case "y" | "yes":
                        tasks = editor.tasks if editor.edited else None
                        return await client.steer(editor.project_id, ApprovePlan(by=operator(), tasks=tasks))
                    case "e" | "edit":
                        await editor.edit()
                    case "n" | "no":
                        return None
            except UserInputError as error:
                say(f"error: {error}")
    finally:
        editor.close()
