"""A plan that somebody edited: read back and checked, so that no mistake reaches the run."""

import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from orchestrator.client.yaml_source import YamlSource, nearest
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.paths import UnsafePathError
from orchestrator.domain.plan import KNOWN_VALIDATORS, RESERVED_IDS, check_plan, owned_path
from orchestrator.domain.tasks import TaskType

MAX_FILE_BYTES = 8_000_000
_TEXTS = ("id", "title", "type", "prompt")
_LISTS = ("dependencies", "files", "validators")
_TYPES = tuple(task_type.value for task_type in TaskType)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHOWN_CHARS = 60
_MAX_TASKS = 2000


def load_plan(path: Path) -> tuple[PlannedTask, ...]:
    """The tasks of a file as `orch-cli plan ID --yaml` prints it.

    Raises UserInputError as `file:line:column: tasks[N].field: what is wrong and the fix`.
    """
    source = YamlSource(path, MAX_FILE_BYTES)
    root = source.root()
    if root is None:
        raise UserInputError(f"{path}: the file is empty; 'orch-cli plan ID --yaml' prints a plan to start from")
    entries = source.entries(root, "", ("tasks",))
    if "tasks" not in entries:
        raise source.error(root, "tasks: is missing; 'orch-cli plan ID --yaml' prints a plan to start from")
    top = entries["tasks"][1]
    nodes = source.items(top, "tasks")
    if not 1 <= len(nodes) <= _MAX_TASKS:
        raise source.error(top, f"tasks: must hold 1 to {_MAX_TASKS} tasks; got {len(nodes)}")
    return _Plan(source, top, nodes).read()


class _Plan:
    def __init__(self, source: YamlSource, top: yaml.Node, nodes: list[yaml.Node]) -> None:
        self._source = source
        self._top = top
        self._nodes = nodes
        self._ids: dict[str, int] = {}  # id to number of the task
        self._dependencies: list[tuple[str, yaml.Node, str]] = []  # field, place and id of each

    def read(self) -> tuple[PlannedTask, ...]:
        tasks = tuple(self._task(number, node) for number, node in enumerate(self._nodes))
        for field, node, task_id in self._dependencies:
            if task_id not in self._ids:
                shown = task_id[:_SHOWN_CHARS]
                raise self._source.error(node, f"{field}: {shown!r} is no task; {nearest(task_id, self._ids)}")
        errors = check_plan(tasks)
        if errors:
            raise self._source.error(self._top, f"tasks: {errors[0]}")
        return tasks

    def _task(self, number: int, node: yaml.Node) -> PlannedTask:
        field = f"tasks[{number}]"
        entries = self._source.entries(node, field, (*_TEXTS, *_LISTS))
        places = {name: value for name, (_, value) in entries.items()}
        values: dict[str, object] = {}
        for name in _TEXTS:
            if name not in places:
                raise self._source.error(node, f"{field}.{name}: is missing")
            values[name] = self._source.text(places[name], f"{field}.{name}")
        for name in (name for name in _LISTS if name in places):
            values[name] = self._list(f"{field}.{name}", name, places[name])
        self._check_names(field, places, str(values["id"]), str(values["type"]), number)
        try:
            return PlannedTask.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            raise self._source.error(places[name], f"{field}.{name}: {first['msg']}") from None

    def _check_names(self, field: str, places: dict[str, yaml.Node], task_id: str, kind: str, number: int) -> None:
        shown = task_id[:_SHOWN_CHARS]
        if not _ID.fullmatch(task_id) or task_id in RESERVED_IDS:
            wanted = "must be 1 to 64 letters, digits, '_', '.' or '-', and not 'project'"
            raise self._source.error(places["id"], f"{field}.id: {wanted}; got {shown!r}")
        if task_id in self._ids:
            raise self._source.error(places["id"], f"{field}.id: {shown!r} is tasks[{self._ids[task_id]}] already")
        self._ids[task_id] = number
        if kind not in _TYPES:
            wrong = f"{field}.type: unknown type {kind[:_SHOWN_CHARS]!r}; {nearest(kind, _TYPES)}"
            raise self._source.error(places["type"], wrong)

    def _list(self, field: str, name: str, node: yaml.Node) -> list[str]:
        texts = []
        for index, item in enumerate(self._source.items(node, field)):
            text = self._source.text(item, f"{field}[{index}]")
            self._check_item(f"{field}[{index}]", name, item, text)
            texts.append(text)
        return texts

    def _check_item(self, field: str, name: str, node: yaml.Node, text: str) -> None:
        if name == "dependencies":
            self._dependencies.append((field, node, text))
        elif name == "validators" and text not in KNOWN_VALIDATORS:
            unknown = f"{field}: unknown validator {text[:_SHOWN_CHARS]!r}; {nearest(text, KNOWN_VALIDATORS)}"
            raise self._source.error(node, unknown)
        elif name == "files":
            try:
                owned_path(text)
            except UnsafePathError as error:
                raise self._source.error(node, f"{field}: {error}") from None
