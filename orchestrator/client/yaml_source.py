"""YAML that people write: read with limits; every error is one line that says where, what, and the fix."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from orchestrator.domain.errors import UserInputError

_NULL_TAG = "tag:yaml.org,2002:null"
_SHOWN_CHARS = 60


class YamlSource:
    """One file. Its errors read `file:line:column: field: what is wrong and the fix`."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def root(self) -> yaml.Node | None:
        """The document's top node, None where the file is empty. Raises UserInputError."""
        text = self._read()
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{self._path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self._path)
            hint = " (quote a value that holds ': ' or starts with a special character)"
            raise UserInputError(f"{where}: not valid YAML: {error.problem or error.context}{hint}") from None
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            raise UserInputError(f"{self._path}:{line}:{column}: control characters are not allowed in YAML") from None
        except RecursionError:
            raise UserInputError(f"{self._path}: nested too deeply for a file of this kind") from None

    def error(self, node: yaml.Node, message: str) -> UserInputError:
        """An error at the place of `node`."""
        return UserInputError(f"{self._path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}")

    def entries(self, node: yaml.Node, field: str, known: Iterable[str] = ()) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """A mapping as name to (node of the name, node of the value).

        Names may be written with `-` or `_` where they are among `known`; any name will do where that is empty.
        """
        prefix = f"{field}: " if field else ""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{prefix}must be a list of 'name: value' lines")
        names = tuple(known)
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            raw: Any = key.value if isinstance(key, yaml.ScalarNode) else None
            if raw is None:
                example = f", such as {names[0]!r}" if names else ""
                raise self.error(key, f"{prefix}a name is expected here{example}")
            name = str(raw).replace("-", "_") if names else str(raw)
            if names and name not in names:
                raise self.error(key, f"{prefix}unknown name {str(raw)[:_SHOWN_CHARS]!r}; {nearest(name, names)}")
            if name in found:
                raise self.error(key, f"{prefix}{name[:_SHOWN_CHARS]}: given twice; remove one of them")
            found[name] = (key, value)
        return found

    def text(self, node: yaml.Node, field: str) -> str:
        """A single value, as it is written."""
        if not isinstance(node, yaml.ScalarNode):
            shape = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
            raise self.error(node, f"{field}: must be one value, not a {shape}")
        if node.tag == _NULL_TAG:
            raise self.error(node, f"{field}: has no value; give one or remove the line")
        return str(node.value)

    def items(self, node: yaml.Node, field: str) -> list[yaml.Node]:
        """The nodes of a list."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"{field}: must be a list, such as [a, b]")
        return list(node.value)

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                data = file.read(self._max_bytes + 1)
        except OSError as error:
            raise UserInputError(f"{self._path}: cannot be read: {error.strerror or error}") from None
        if len(data) > self._max_bytes:
            raise UserInputError(f"{self._path}: larger than {self._max_bytes} bytes; is this the right file?")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
            raise UserInputError(f"{self._path}:{line}:{column}: not valid UTF-8; save the file as UTF-8") from None


def nearest(name: str, known: Iterable[str]) -> str:
    """What somebody who wrote `name` may have meant: the fix of an error."""
    names = tuple(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known names: {', '.join(names)}"
