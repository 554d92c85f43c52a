"""A whole project, played by the fake vendor server: plan, files, reviews and scores of a given task graph."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from orchestrator.domain.answers import (
    ArchitectureAnswer,
    CriteriaAnswer,
    CriterionAnswer,
    Critique,
    CritiqueIssue,
    Evaluation,
    PlanAnswer,
    PlannedPackages,
    PlannedTask,
    Suggestion,
    SuggestionsAnswer,
    Verdict,
)
from orchestrator.domain.base import Frozen
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.testing.vendor_script import Reply, Rule, VendorRequest

_TASK_ID = re.compile(r"^<task-[0-9a-f]{12}>\nid: (?P<id>\S+)$", re.MULTILINE)
_QUESTIONS = re.compile(r"^<criteria-([0-9a-f]{12})>\n(?P<lines>\d+\. .*?)\n</criteria-\1>$", re.MULTILINE | re.DOTALL)
_WRITES_FILES = (Stage.GENERATE, Stage.REVISE, Stage.REPAIR)


class ScriptedTask(Frozen):
    """One task of the plan. `files` maps its paths to what the models write; `slowness` scales its latencies."""

    id: str
    dependencies: tuple[str, ...] = ()
    files: dict[str, str]
    validators: tuple[str, ...] = ()
    type: TaskType = TaskType.CODE_GENERATION
    slowness: float = Field(default=1.0, gt=0)


class ProjectScript(Frozen):
    """Replies to every stage of a project that goes well, unless `rules`, which come first, say otherwise.

    Each reply takes `latency_ms` times the task's slowness; those that hold files are then sent in `chunks`
    pieces, `chunk_delay_ms` apart. With `revise` each draft is sent back once, so that a task takes four calls
    one after the other instead of three.
    """

    tasks: tuple[ScriptedTask, ...]
    latency_ms: float = Field(default=0.0, ge=0)
    chunks: int = Field(default=1, ge=1)
    chunk_delay_ms: float = Field(default=0.0, ge=0)
    revise: bool = False
    score: float = Field(default=0.95, ge=0, le=1)
    suggestions: tuple[Suggestion, ...] = ()
    architecture: ArchitectureAnswer = ArchitectureAnswer(app_type="generic")
    packages: PlannedPackages = PlannedPackages()
    rules: tuple[Rule, ...] = ()

    def reply(self, request: VendorRequest) -> Reply:
        """The script of the fake vendor server."""
        for rule in self.rules:
            if rule.matches(request):
                return rule.reply
        if request.stage == Stage.ENHANCE:
            answer = SuggestionsAnswer(suggestions=list(self.suggestions))
            return Reply(text=answer.model_dump_json(), latency_ms=self.latency_ms)
        if request.stage == Stage.ADVISE:
            return Reply(text=self.architecture.model_dump_json(), latency_ms=self.latency_ms)
        if request.stage == Stage.PLAN:
            return Reply(text=self.plan().model_dump_json(), latency_ms=self.latency_ms)
        if request.stage == Stage.JUDGE:
            return Reply(text=all_met(request.prompt).model_dump_json(), latency_ms=self.latency_ms)
        name = task_of(request)
        task = next((task for task in self.tasks if task.id == name), None)
        if task is None:
            return Reply(status=400, error_message=f"no task {name!r} in the script of stage {request.stage!r}")
        return self._task_reply(Stage(request.stage), task)

    def plan(self) -> PlanAnswer:
        """The plan that the planning model answers with."""
        return PlanAnswer(
            packages=self.packages,
            tasks=[
                PlannedTask(
                    id=task.id,
                    title=f"Write {task.id}",
                    type=task.type,
                    prompt=f"Write {', '.join(task.files)}.",
                    dependencies=list(task.dependencies),
                    files=list(task.files),
                    validators=list(task.validators),
                )
                for task in self.tasks
            ],
        )

    def ideal_s(self) -> float:
        """Seconds that the models alone take: advice and plan, then the slowest path through the graph."""
        per_task_s = (4 if self.revise else 3) * self.latency_ms / 1000
        ends: dict[str, float] = {}
        for task in ordered(self.tasks):
            begins = max((ends[name] for name in task.dependencies), default=0.0)
            ends[task.id] = begins + task.slowness * per_task_s
        return 2 * self.latency_ms / 1000 + max(ends.values())

    def save(self, path: Path) -> Path:
        """Writes a file for `--script` of the fake vendor server; returns its path."""
        source = (
            "from orchestrator.testing.project_script import ProjectScript\n\n"
            f"reply = ProjectScript.model_validate_json({self.model_dump_json()!r}).reply\n"
        )
        path.write_text(source, encoding="utf-8")
        return path

    def _task_reply(self, stage: Stage, task: ScriptedTask) -> Reply:
        latency_ms = self.latency_ms * task.slowness
        if stage in _WRITES_FILES:
            text = fences(task.files)
            return Reply(text=text, latency_ms=latency_ms, chunks=self.chunks, chunk_delay_ms=self.chunk_delay_ms)
        if stage is Stage.CRITIQUE:
            return Reply(text=self._critique().model_dump_json(), latency_ms=latency_ms)
        return Reply(text=Evaluation(score=self.score, reasoning="scripted").model_dump_json(), latency_ms=latency_ms)

    def _critique(self) -> Critique:
        if self.revise:
            issues = [CritiqueIssue(message="Say it better.")]
            return Critique(score=0.6, verdict=Verdict.REVISE, issues=issues)
        return Critique(score=self.score, verdict=Verdict.APPROVE)


def all_met(prompt: str) -> CriteriaAnswer:
    """A judge's answer to a prompt: every criterion that it asks for holds."""
    asked = _QUESTIONS.search(prompt)
    numbers = [int(line.split(".", 1)[0]) for line in asked["lines"].splitlines()] if asked else []
    return CriteriaAnswer(results=[CriterionAnswer(number=n, met=True, evidence="scripted") for n in numbers])


def task_of(request: VendorRequest) -> str:
    """The id of the task that the prompt is about, empty if there is none."""
    found = _TASK_ID.search(request.prompt)
    return found["id"] if found else ""


def fences(files: dict[str, str]) -> str:
    """The files as models answer with them: a fence each, which names its path."""
    return "\n\n".join(f"```text path={path}\n{content}```" for path, content in files.items())


def ordered(tasks: Sequence[ScriptedTask]) -> list[ScriptedTask]:
    """The tasks with dependencies before what depends on them. Raises ValueError where there is a cycle."""
    done: dict[str, ScriptedTask] = {}
    while len(done) < len(tasks):
        free = [task for task in tasks if task.id not in done and set(task.dependencies) <= done.keys()]
        if not free:
            raise ValueError("the graph has a cycle or an unknown dependency")
        done |= {task.id: task for task in free}
    return list(done.values())


def _name(number: int) -> str:
    return f"t{number:02d}"


def text_task(number: int, *dependencies: int, slowness: float = 1.0) -> ScriptedTask:
    """Task `t01`, `t02`, ... that owns one text file, so that no tool has anything to check."""
    name = _name(number)
    return ScriptedTask(
        id=name,
        dependencies=tuple(_name(other) for other in dependencies),
        files={f"{name}.txt": f"The text of {name}.\n"},
        slowness=slowness,
    )


def module_task(number: int, *dependencies: int, validators: tuple[str, ...] = ("python_syntax",)) -> ScriptedTask:
    """The same with a Python module that is free of findings."""
    name = _name(number)
    source = f'"""Module of {name}."""\n\n\ndef {name}() -> str:\n    """Name the task."""\n    return "{name}"\n'
    return text_task(number, *dependencies).model_copy(
        update={"files": {f"{name}.py": source}, "validators": validators}
    )


def wide(count: int) -> tuple[ScriptedTask, ...]:
    """Tasks that depend on nothing."""
    return tuple(text_task(number) for number in range(1, count + 1))


def chain(count: int) -> tuple[ScriptedTask, ...]:
    """Each task depends on the one before."""
    return tuple(text_task(number, *range(max(1, number - 1), number)) for number in range(1, count + 1))


def zigzag(count: int) -> tuple[ScriptedTask, ...]:
    """Two chains whose slow tasks (three times the latency) alternate: a barrier per level waits for each."""
    return tuple(
        text_task(
            number,
            *((number - 2,) if number > 2 else ()),
            slowness=3.0 if (number - 1) // 2 % 2 == (number - 1) % 2 else 1.0,
        )
        for number in range(1, count + 1)
    )


def tree(count: int) -> tuple[ScriptedTask, ...]:
    """A graph of any size and little depth: task n depends on task n // 2."""
    return tuple(text_task(number, *((number // 2,) if number > 1 else ())) for number in range(1, count + 1))


def mixed12() -> tuple[ScriptedTask, ...]:
    """Twelve tasks of uneven length whose slowest path is 6.5 tasks long."""
    return (
        text_task(1),
        text_task(2, slowness=2.0),
        text_task(3),
        text_task(4, 1),
        text_task(5, 1, slowness=3.0),
        text_task(6, 2),
        text_task(7, 2, 3),
        text_task(8, 3, slowness=2.0),
        text_task(9, 4),
        text_task(10, 5, 6),
        text_task(11, 7, 8, slowness=2.5),
        text_task(12, 9, 10, 11),
    )


GRAPHS: dict[str, tuple[ScriptedTask, ...]] = {
    "mixed12": mixed12(),
    "wide12": wide(12),
    "chain12": chain(12),
    "zigzag12": zigzag(12),
}
"""The graphs of the benchmark: with `revise` and 200 ms per call the models take 5.6, 1.2, 10.0 and 10.0 s."""
