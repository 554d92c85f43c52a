"""A plan as a graph: its critical path, and its picture in Mermaid."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from orchestrator.domain.text import one_line

_LABEL_CHARS = 80
_HARMLESS = frozenset(" .,-_")


class Node(Protocol):
    """What a graph needs to know of a task."""

    @property
    def id(self) -> str:
        """Unique in its plan."""

    @property
    def title(self) -> str:
        """One line for a reader; it may hold anything."""

    @property
    def dependencies(self) -> Sequence[str]:
        """Ids of the tasks that come before."""


N = TypeVar("N", bound=Node)


def critical_path(tasks: Sequence[N], weight: Callable[[N], float]) -> tuple[str, ...]:
    """Ids along the heaviest path, its first task first; of several the one that is first in plan order.

    `tasks` is a DAG whose dependencies are all known, weights are not negative. Empty for no tasks.
    """
    heaviest: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for task in in_order(tasks):
        previous = max(task.dependencies, key=lambda name: heaviest[name], default=None)
        before[task.id] = previous
        heaviest[task.id] = weight(task) + (heaviest[previous] if previous is not None else 0.0)
    end = max((task.id for task in tasks), key=lambda name: heaviest[name], default=None)
    path: list[str] = []
    while end is not None:
        path.append(end)
        end = before[end]
    return tuple(reversed(path))


def in_order(tasks: Sequence[N]) -> list[N]:
    """The tasks with dependencies before what depends on them, else in plan order. `tasks` is a DAG."""
    dependents: dict[str, list[int]] = {}
    open_dependencies = [len(set(task.dependencies)) for task in tasks]
    for index, task in enumerate(tasks):
        for dependency in set(task.dependencies):
            dependents.setdefault(dependency, []).append(index)
    free = [index for index, count in enumerate(open_dependencies) if count == 0]
    for index in free:  # grows while it is walked
        for dependent in dependents.get(tasks[index].id, ()):
            open_dependencies[dependent] -= 1
            if open_dependencies[dependent] == 0:
                free.append(dependent)
    return [tasks[index] for index in free]


def mermaid(tasks: Sequence[N], highlighted: Iterable[str] = ()) -> str:
    """The graph as a Mermaid flowchart; tasks of `highlighted` (the critical path) have a thick border.

    Ids and titles come from models: nodes have names of ours, and labels can hold no markup, link or directive.
    """
    names = {task.id: f"n{number}" for number, task in enumerate(tasks, start=1)}
    lines = ["flowchart LR"]
    lines += [f'    {names[task.id]}["{_label(task.id)}: {_label(task.title)}"]' for task in tasks]
    lines += [
        f"    {names[dependency]} --> {names[task.id]}"
        for task in tasks
        for dependency in dict.fromkeys(task.dependencies)
    ]
    chosen = set(highlighted)
    thick = [names[task.id] for task in tasks if task.id in chosen]
    if thick:
        lines += ["    classDef critical stroke-width:3px", f"    class {','.join(thick)} critical"]
    return "\n".join(lines)


def _label(text: str) -> str:
    """Everything but letters, digits and a few marks as Mermaid's character codes."""
    line = one_line(text, _LABEL_CHARS)
    return "".join(ch if ch.isalnum() or ch in _HARMLESS else f"#{ord(ch)};" for ch in line)
