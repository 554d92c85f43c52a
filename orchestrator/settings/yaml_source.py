"""YAML and JSON that people write: read with limits, and every error says where it is, all of them at once.

document = read_document(path)
settings = shaped(document, Settings)           # orchestrator.settings.yaml_files: a pydantic model
document.complain(("steps", 3, "after"), "is no step")
document.check()                                # raises whatever was complained of
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.domain.errors import UserInputError, UserInputErrors

MAX_BYTES = 1_000_000

FieldPath = tuple[str | int, ...]

_SHOWN_CHARS = 60
_MAX_COMPLAINTS = 50
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = {f"{_STANDARD}{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_NULL = f"{_STANDARD}null"
_SURROGATES = re.compile("[\ud800-\udfff]")
_TOO_DEEP = "nested too deeply for a file of this kind"


@dataclass(frozen=True)
class _Place:
    """Where a value stands, and where its name does: line and column, from 1."""

    name: tuple[int, int] | None
    value: tuple[int, int]


class YamlDocument:
    """One document: its plain `value`, None where it is empty, and the place of everything in it.

    Complaints are gathered, and raised together as `file:line:column: field: what is wrong and the fix`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: Any = None
        self._places: dict[FieldPath, _Place] = {}
        self._complaints: dict[tuple[tuple[int, int], FieldPath], str] = {}
        self._unread: set[FieldPath] = set()

    def line(self, path: FieldPath) -> int | None:
        """The line on which the value at `path` begins, from 1; None where there is none."""
        place = self._places.get(_plain(path))
        return place.value[0] if place else None

    def complain(self, path: FieldPath, words: str, *, of_name: bool = False) -> None:
        """Remember what is wrong with the value at `path`, or with its name.

        Where nothing stands at `path`, the place is that of the nearest field above it. Of several complaints about
        one thing the first counts.
        """
        plain = _plain(path)
        if not any(plain[:length] in self._unread for length in range(len(plain) + 1)):
            self._complain(self._at(path, of_name=of_name), path, words)

    def complain_of(self, node: yaml.Node, path: FieldPath, words: str) -> None:
        """The same about a node that is no part of the value."""
        self._complain(_place(node.start_mark), path, words)

    def unread(self, path: FieldPath, words: str, *, of_name: bool = False) -> None:
        """A complaint about a value that was not read: there are no others about it."""
        self.complain(path, words, of_name=of_name)
        self._unread.add(_plain(path))

    def check(self) -> None:
        """Raises UserInputError with all complaints, in the order of the file; nothing where there is none."""
        found = [self._complaints[key] for key in sorted(self._complaints, key=lambda key: key[0])]
        if len(found) > _MAX_COMPLAINTS:
            found[_MAX_COMPLAINTS:] = [f"{self.name}: and {len(found) - _MAX_COMPLAINTS} errors more"]
        if len(found) == 1:
            raise UserInputError(found[0])
        if found:
            raise UserInputErrors(found)

    def error(self, path: FieldPath, words: str, *, of_name: bool = False) -> UserInputError:
        """One error, to be raised at once."""
        return UserInputError(self._message(path, words, self._at(path, of_name=of_name)))

    def stands(self, path: FieldPath, *, name: yaml.Node | None, value: yaml.Node) -> None:
        """Remember where `path` stands; the first place counts."""
        self._places.setdefault(
            _plain(path), _Place(_place(name.start_mark) if name else None, _place(value.start_mark))
        )

    def stands_for(self, path: FieldPath, of: FieldPath) -> None:
        """What is said of `path` has the place of `of`, which is another way to write it."""
        place = self._places.get(_plain(of))
        if place is not None:
            self._places.setdefault(_plain(path), place)

    def _at(self, path: FieldPath, *, of_name: bool) -> tuple[int, int] | None:
        known = _plain(path)
        while known and known not in self._places:
            known, of_name = known[:-1], True
        place = self._places.get(known)
        if place is None:
            return None
        return place.name or place.value if of_name else place.value

    def _complain(self, place: tuple[int, int] | None, path: FieldPath, words: str) -> None:
        self._complaints.setdefault((place or (0, 0), _plain(path)), self._message(path, words, place))

    def _message(self, path: FieldPath, words: str, place: tuple[int, int] | None) -> str:
        where = f":{place[0]}:{place[1]}" if place else ""
        field = field_name(path)
        return f"{self.name}{where}: {field}: {words}" if field else f"{self.name}{where}: {words}"


def read_document(path: Path, *, max_bytes: int = MAX_BYTES, typed: bool = False, nulls: bool = True) -> YamlDocument:
    """The document in a file; see `parse_document`. Raises UserInputError."""
    return parse_document(read_bytes(path, max_bytes), str(path), max_bytes=max_bytes, typed=typed, nulls=nulls)


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """What is in a file, as far as `parse_document` looks at it. Raises UserInputError."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UserInputError(f"{path}: cannot be read: {error.strerror or error}") from None


def parse_document(
    data: bytes, name: str, *, max_bytes: int = MAX_BYTES, typed: bool = False, nulls: bool = True
) -> YamlDocument:
    """`data` as a document, which errors call `name`; JSON where the name ends so.

    Values are text as it is written, so that `1.10` is no float and `yes` no switch: a shape gives them their types.
    With `typed` they have the types of YAML. Without `nulls` a name without a value is a complaint. Raises
    UserInputError for what is not YAML; names that are given twice and the like are complaints of the document.
    """
    if len(data) > max_bytes:
        raise UserInputError(f"{name}: larger than {max_bytes} bytes; is this the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserInputError(f"{name}:{_spot(data[: error.start])}: is not UTF-8 text; save it as UTF-8") from None
    document = YamlDocument(name)
    try:
        root = _composed(text, name)
        if root is not None:
            document.value = _Reader(document, typed=typed, nulls=nulls).value(root, (), None)
    except RecursionError:
        raise UserInputError(f"{name}: {_TOO_DEEP}") from None
    return document


def field_name(path: FieldPath) -> str:
    """`tasks[0].files` for `("tasks", 0, "files")`, printable."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN_CHARS]}" for part in path)
    return "".join(char if char.isprintable() else "?" for char in "".join(parts)).removeprefix(".")


def _composed(text: str, name: str) -> yaml.Node | None:
    if name.endswith(".json"):
        text = _as_yaml(text, name)
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        hint = " (quote a value that holds ': ' or starts with a special character)"
        raise UserInputError(f"{where}: is not YAML: {error.problem or error.context}{hint}") from None
    except yaml.reader.ReaderError as error:
        where = f"{name}:{_spot(text[: error.position].encode())}"
        raise UserInputError(f"{where}: is not YAML: control characters are not allowed") from None
    return root


def _as_yaml(text: str, name: str) -> str:
    """JSON that is YAML too: only its tabs are not, which stand between values, never in them."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise UserInputError(f"{name}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from None
    return text.replace("\t", " ")


class _Reader:
    """Turns nodes into plain values; anchors of collections are refused, so that a small file stays small."""

    def __init__(self, document: YamlDocument, *, typed: bool, nulls: bool) -> None:
        self._document = document
        self._typed = typed
        self._nulls = nulls
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, path: FieldPath, name: yaml.Node | None) -> Any:
        self._document.stands(path, name=name, value=node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._seen:
            self._document.unread(path, "is a repeated anchor; write the values out", of_name=True)
            return None
        if node.tag not in (f"{_STANDARD}map", f"{_STANDARD}seq"):
            self._document.unread(path, "has a YAML tag; remove it")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), None) for index, item in enumerate(node.value)]
        return dict(self._entries(node, path))

    def _entries(self, node: yaml.Node, path: FieldPath) -> Iterator[tuple[str, Any]]:
        found: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                self._document.complain_of(key, path, "a name is expected here")
                continue
            name = _joined(key.value)
            if name in found:
                self._document.complain_of(key, (*path, name), "is given twice; remove one of them")
                continue
            found.add(name)
            yield name, self.value(value, (*path, name), key)

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        if node.tag == _NULL:
            if not self._nulls:
                self._document.unread(path, "has no value; give one or remove the line")
            return None
        if node.tag not in _SCALARS:
            self._document.unread(path, "has a YAML tag; remove it")
            return None
        if not self._typed or node.tag == f"{_STANDARD}str":
            return _joined(node.value)
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, TypeError, KeyError):
            words = f"has a value that cannot be read: {repr(node.value)[:_SHOWN_CHARS]}"
            self._document.unread(path, words)
            return None


def _joined(text: str) -> str:
    """`text` with the halves of JSON's escapes joined to characters; a half without its other is replaced."""
    if not _SURROGATES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _plain(path: FieldPath) -> FieldPath:
    """The path by which places are known: names may be written with `-` or `_`."""
    return tuple(part.replace("-", "_") if isinstance(part, str) else part for part in path)


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _spot(before: bytes) -> str:
    """Line and column of what comes after `before`."""
    line = before[before.rfind(b"\n") + 1 :].decode(errors="replace")
    return f"{before.count(bytes([10])) + 1}:{len(line) + 1}"
