"""Project files: YAML with the names of the flags of `start`; errors say where, what, and the fix."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from orchestrator.client.spec import parse_budget, parse_concurrency, parse_text, parse_time_limit
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError

MAX_FILE_BYTES = 1_000_000
_NULL_TAG = "tag:yaml.org,2002:null"


class ProjectFile(Frozen):
    """What a project file says; None where it says nothing. Values are checked."""

    project: str | None = None
    criteria: str | None = None
    budget: int | None = None  # micro-USD
    time_limit: float | None = None  # seconds
    concurrency: int | None = None
    output_dir: str | None = None
    new_project: bool | None = None
    no_enhance: bool | None = None


def _parse_switch(raw: str) -> bool:
    if raw.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false; got {raw[:60]!r}")
    return raw.lower() == "true"


_FIELDS: dict[str, Callable[[str], object]] = {
    "project": parse_text,
    "criteria": parse_text,
    "budget": parse_budget,
    "time_limit": parse_time_limit,
    "concurrency": parse_concurrency,
    "output_dir": parse_text,
    "new_project": _parse_switch,
    "no_enhance": _parse_switch,
}


def load_project_file(path: Path) -> ProjectFile:
    """Read and check `path`. Names may be written with `-` or `_`.

    Raises UserInputError as `file:line:column: field: what is wrong and the fix`.
    """
    root = _compose(path, _read(path))
    if root is None:
        raise UserInputError(f"{path}: the file is empty; it needs at least 'project:' and 'criteria:'")
    if not isinstance(root, yaml.MappingNode):
        raise _error(path, root, "the file must be a list of 'name: value' lines, such as 'project: ...'")
    found: dict[str, object] = {}
    for key, value in root.value:
        name = _field_name(path, key)
        if name in found:
            raise _error(path, key, f"{name}: given twice; remove one of them")
        found[name] = _field_value(path, name, value)
    return ProjectFile.model_validate(found)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserInputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise UserInputError(f"{path}: larger than {MAX_FILE_BYTES} bytes; is this the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise UserInputError(f"{path}:{line}:{column}: not valid UTF-8; save the file as UTF-8") from None


def _compose(path: Path, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        hint = " (quote a value that holds ': ' or starts with a special character)"
        raise UserInputError(f"{where}: not valid YAML: {error.problem or error.context}{hint}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise UserInputError(f"{path}:{line}:{column}: control characters are not allowed in YAML") from None
    except RecursionError:
        raise UserInputError(f"{path}: nested too deeply; a project file is flat") from None


def _field_name(path: Path, key: yaml.Node) -> str:
    raw: Any = key.value if isinstance(key, yaml.ScalarNode) else None
    if raw is None:
        raise _error(path, key, "a name is expected here, such as 'project'")
    name = str(raw).replace("-", "_")
    if name in _FIELDS:
        return name
    near = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.5)
    fix = f"did you mean '{near[0]}'?" if near else f"known names: {', '.join(_FIELDS)}"
    raise _error(path, key, f"unknown name {str(raw)[:60]!r}; {fix}")


def _field_value(path: Path, name: str, node: yaml.Node) -> object:
    if not isinstance(node, yaml.ScalarNode):
        shape = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
        raise _error(path, node, f"{name}: must be one value, not a {shape}")
    if node.tag == _NULL_TAG:
        raise _error(path, node, f"{name}: has no value; give one or remove the line")
    try:
        return _FIELDS[name](node.value)
    except ValueError as error:
        raise _error(path, node, f"{name}: {error}") from None


def _error(path: Path, node: yaml.Node, message: str) -> UserInputError:
    return UserInputError(f"{path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}")
