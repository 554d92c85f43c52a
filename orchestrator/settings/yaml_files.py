"""YAML files checked against a shape; an error is one line that names file, line, column, field and fix."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.domain.errors import UserInputError

T = TypeVar("T", bound=BaseModel)

MAX_BYTES = 1_000_000
_SHOWN_CHARS = 60
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

FieldPath = tuple[str | int, ...]


class Located(NamedTuple):
    """How to complain about a file that was read: `error(path of the field, words)` names its line."""

    error: Callable[[FieldPath, str], UserInputError]


def parse_yaml(
    data: bytes, name: str, shape: type[T], page: str = "docs/models.md", *, exact: bool = True
) -> tuple[T, Located]:
    """The file's content as `shape`; an empty file is an empty mapping. `name` is what errors call the file.

    `page` is the page of the documentation that lists the fields. With `exact`, numbers reach the shape as text, so
    that a price is exact.

    Raises UserInputError as `file:line:column: field: what is wrong and the fix`.
    """
    if len(data) > MAX_BYTES:
        raise UserInputError(f"{name}: larger than {MAX_BYTES} bytes; is this the right file?")
    try:
        root = yaml.compose(data.decode("utf-8-sig"), yaml.SafeLoader)
    except UnicodeDecodeError:
        raise UserInputError(f"{name}: is not UTF-8 text; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UserInputError(f"{name}{where}: is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserInputError(f"{name}: is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UserInputError(f"{name}: nested too deeply for a file of this kind") from None
    reader = _Reader(name, exact=exact)
    value = reader.value(root, ()) if root is not None else {}
    try:
        return shape.model_validate(value), Located(reader.error)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = tuple(part for part in first["loc"] if part != "[key]")
        raise reader.error(path, _words(dict(first), page)) from None


def _words(error: dict[str, Any], page: str) -> str:
    if error["type"] == "missing":
        return "is missing; add it"
    if error["type"] == "extra_forbidden":
        return f"is not a field here; remove it or correct its name ({page} lists them)"
    message = str(error["msg"]).removeprefix("Value error, ")
    got = error["input"]
    shown = "" if isinstance(got, dict | list) else f"; got {repr(got)[:_SHOWN_CHARS]}"
    return f"{message[0].lower()}{message[1:]}{shown}"


class _Reader:
    """Turns nodes into values and remembers where each stood."""

    def __init__(self, name: str, *, exact: bool) -> None:
        self._name = name
        self._exact = exact
        self._marks: dict[FieldPath, yaml.Mark] = {}
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        """The value of `node`, which stands at `path`."""
        self._marks.setdefault(path, node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._seen:
            raise self.error(path, "is a repeated anchor; write the values out")
        if node.tag not in _COLLECTIONS:
            self._marks[path] = node.start_mark
            raise self.error(path, "has a YAML tag; remove it")
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            here = (*path, key)
            if not key or key in found:
                self._marks[here] = key_node.start_mark
                raise self.error(here, "is given twice; remove one of them" if key else "is no name")
            self._marks[here] = key_node.start_mark
            found[key] = self.value(value_node, here)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        if self._exact and node.tag in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int"):
            return node.value.replace("_", "")
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self.error(path, f"has a value that cannot be read: {repr(node.value)[:_SHOWN_CHARS]}") from None

    def error(self, path: FieldPath, words: str) -> UserInputError:
        """The error of the field at `path`, or of the nearest one above it that stands in the file."""
        known = path
        while known and known not in self._marks:
            known = known[:-1]
        mark = self._marks.get(known)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        field = "".join(char if char.isprintable() else "?" for char in ".".join(str(part) for part in path))
        return UserInputError(f"{self._name}{where}: {field}: {words}" if field else f"{self._name}{where}: {words}")
