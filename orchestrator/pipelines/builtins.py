"""Options of the built-in transforms; `transforms` computes them."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, JsonValue

from orchestrator.domain.base import Frozen
from orchestrator.domain.pipeline import Builtin, Key, TransformStep

_Text = Annotated[str, Field(max_length=2000)]


class JsonParse(Frozen):
    """`input` is a text that is, or holds, JSON: fences and prose around it are passed over."""

    input: Key


class Select(Frozen):
    """The value at `path` (such as `items[0].name`) of `input`; `default` where there is none, else an error."""

    input: Key
    path: _Text
    default: JsonValue = None


class Join(Frozen):
    """The elements of the list `input`, or the variables `inputs`, as one text."""

    input: Key | None = None
    inputs: tuple[Key, ...] = ()
    separator: _Text = "\n"


class Regex(Frozen):
    """The first match of `pattern` in `input`: its group `group`, null where there is none.

    `all`: a list of all matches instead. `replace`: the text with every match replaced instead; `\\1` is a group.
    """

    input: Key
    pattern: _Text
    group: int | str = 0
    all: bool = False
    replace: _Text | None = None
    ignore_case: bool = False
    multiline: bool = False


class Split(Frozen):
    """The parts of the text `input` between separators, trimmed; empty ones are dropped unless `keep_empty`."""

    input: Key
    separator: _Text = Field(default="\n", min_length=1)
    keep_empty: bool = False


class Merge(Frozen):
    """The entries of the objects `inputs` in one object, later ones first; or the elements of lists in one list."""

    inputs: Annotated[tuple[Key, ...], Field(min_length=1)]


BuiltinOptions = JsonParse | Select | Join | Regex | Split | Merge

OPTIONS: dict[Builtin, type[BuiltinOptions]] = {
    Builtin.JSON_PARSE: JsonParse,
    Builtin.SELECT: Select,
    Builtin.JOIN: Join,
    Builtin.REGEX: Regex,
    Builtin.SPLIT: Split,
    Builtin.MERGE: Merge,
}


def options_of(step: TransformStep) -> BuiltinOptions:
    """The options of a step with a built-in. Raises pydantic's ValidationError."""
    assert step.builtin is not None
    return OPTIONS[step.builtin].model_validate(step.options)


def inputs_of(options: dict[str, Any]) -> Iterator[str]:
    """The variables that options name, whatever else is wrong with them."""
    named = options.get("inputs")
    for name in (options.get("input"), *(named if isinstance(named, list | tuple) else ())):
        if isinstance(name, str):
            yield name
