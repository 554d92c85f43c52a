"""Whether a plan can be carried out: unique ids, known dependencies, no cycle, one owner per file."""

from collections.abc import Iterable, Sequence

from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.paths import UnsafePathError, normalise_path
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import PROJECT, TaskSpec
from orchestrator.domain.text import one_line

KNOWN_VALIDATORS = (
    "python_syntax", "ruff", "pytest", "json_schema", "length",
    "dependencies", "import_smoke", "app_start", "mypy",
    "node_check", "tsc", "npm_build", "npm_test",
    "html", "yaml", "toml", "sql", "shell", "dockerfile", "openapi", "secrets", "commands",
)  # fmt: skip
RESERVED_IDS = frozenset((PROJECT,))
MAX_FILES_PER_TASK = 50
_AWKWARD = frozenset(" \t`\"'<>|*?")  # would make the path ambiguous in a fence or on another system
_SHOWN_CHARS = 60


def check_plan(tasks: Sequence[PlannedTask]) -> list[str]:
    """What is wrong with the plan, one short line each; empty if it can be carried out."""
    errors = _id_errors(tasks)
    errors += _dependency_errors(tasks)
    if not errors:
        cycle = find_cycle(tasks)
        if cycle:
            errors.append(f"dependency cycle: {' -> '.join(cycle)}")
    return errors + _file_errors(tasks)


def find_cycle(tasks: Sequence[PlannedTask]) -> list[str]:
    """The ids along one dependency cycle, its first id repeated at the end; empty if there is none.

    Ids are unique and all dependencies are known.
    """
    dependencies = {task.id: task.dependencies for task in tasks}
    finished: set[str] = set()
    for start in dependencies:
        path = {start: iter(dependencies[start])} if start not in finished else {}  # in order of the walk
        while path:
            task_id = next(reversed(path))
            step = next((d for d in path[task_id] if d not in finished), None)
            if step is None:
                del path[task_id]
                finished.add(task_id)
            elif step in path:
                walked = list(path)
                return [*walked[walked.index(step) :], step]
            else:
                path[step] = iter(dependencies[step])
    return []


def known_validators(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`names` without repetition, split into those that exist and those that do not."""
    unique = tuple(dict.fromkeys(names))
    known = tuple(name for name in unique if name in KNOWN_VALIDATORS)
    return known, tuple(name for name in unique if name not in KNOWN_VALIDATORS)


def planned_spec(planned: PlannedTask, prompt: BlobRef) -> TaskSpec:
    """A task of a plan without errors, its instructions in the store; unknown validators are left out."""
    return TaskSpec(
        id=planned.id,
        title=one_line(planned.title) or planned.id,
        type=planned.type,
        dependencies=tuple(dict.fromkeys(planned.dependencies)),
        files=tuple(dict.fromkeys(owned_path(path) for path in named_files(planned))),
        validators=known_validators(planned.validators)[0],
        prompt=prompt,
    )


def _id_errors(tasks: Sequence[PlannedTask]) -> list[str]:
    errors = []
    seen: set[str] = set()
    for task in tasks:
        if task.id in RESERVED_IDS:
            errors.append(f"task id {task.id!r} is reserved")
        if task.id in seen:
            errors.append(f"task id {task.id!r} is used twice")
        seen.add(task.id)
    return errors


def _dependency_errors(tasks: Sequence[PlannedTask]) -> list[str]:
    ids = {task.id for task in tasks}
    return [
        f"task {task.id!r} depends on {dependency[:_SHOWN_CHARS]!r}, which is no task"
        for task in tasks
        for dependency in dict.fromkeys(task.dependencies)
        if dependency not in ids
    ]


def _file_errors(tasks: Sequence[PlannedTask]) -> list[str]:
    errors = []
    taken: dict[str, tuple[str, str]] = {}  # case-folded path to path and owner
    for task in tasks:
        if len(task.files) > MAX_FILES_PER_TASK:
            errors.append(f"task {task.id!r} owns more than {MAX_FILES_PER_TASK} files")
        for raw in named_files(task)[:MAX_FILES_PER_TASK]:
            try:
                path = owned_path(raw)
            except UnsafePathError as error:
                errors.append(f"file {raw[:_SHOWN_CHARS]!r} of task {task.id!r}: {error}")
                continue
            other, owner = taken.setdefault(path.casefold(), (path, task.id))
            if owner != task.id:
                errors.append(f"file {path!r} belongs to two tasks, {owner!r} and {task.id!r}")
            elif other != path:
                errors.append(f"files {other!r} and {path!r} of task {owner!r} differ in case only")
    return errors + _folder_errors(taken)


def named_files(task: PlannedTask) -> list[str]:
    """The task's files as planned; a task that names none, such as a review, delivers a document."""
    return task.files or [f"docs/{task.id}.md"]


def owned_path(raw: str) -> str:
    """`raw` normalised, as a path that a task may own. Raises UnsafePathError."""
    path = normalise_path(raw)
    if _AWKWARD & set(path):
        raise UnsafePathError("blank or special characters in the path")
    return path


def _folder_errors(taken: dict[str, tuple[str, str]]) -> list[str]:
    """Paths that are a file in one place and a folder in another."""
    errors = []
    for folded, (path, _) in taken.items():
        parts = folded.split("/")
        above = ("/".join(parts[:length]) for length in range(1, len(parts)))
        for folder in above:
            if folder in taken:
                name, owner = taken[folder]
                errors.append(f"{name!r} is a file of task {owner!r} and a folder of {path!r}")
    return errors
