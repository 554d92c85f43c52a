"""Documents checked against a shape; each error names file, line, column, field and fix, all of them at once."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError, model_validator

from orchestrator.domain.base import Frozen
from orchestrator.settings.yaml_source import FieldPath, YamlDocument

T = TypeVar("T", bound=BaseModel)

_SHOWN_CHARS = 60
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type", "mapping_type")
_WANTED = {
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "decimal_parsing": "a number",
    "date_from_datetime_parsing": "a date such as 2026-01-31",
}
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")


class Section(Frozen):
    """A shape whose names may be written with `-` or `_`."""

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        found: dict[Any, Any] = {}
        for key, value in given.items():
            name = key.replace("-", "_") if isinstance(key, str) else key
            if name in found:
                raise ValueError(f"{name} is given twice, with - and with _; remove one of them")
            found[name] = value
        return found


def shaped(document: YamlDocument, shape: type[T], *, page: str = "", context: Any = None) -> T:
    """The document as `shape`; an empty document is an empty mapping.

    `context` reaches the validators of the shape. Raises UserInputError with everything that is wrong.
    """
    value = {} if document.value is None else document.value
    try:
        found = shape.model_validate(value, context=context)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            _complain(document, shape, dict(one), page)
    document.check()
    return found


def nearest(name: str, known: Iterable[str], page: str = "") -> str:
    """What somebody who wrote `name` may have meant: the fix of an error."""
    names = tuple(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known names: {', '.join(names)}" + (f" ({page} describes them)" if page else "")


def _complain(document: YamlDocument, shape: type[BaseModel], error: Mapping[str, Any], page: str) -> None:
    whole: FieldPath = tuple(error["loc"])
    path = tuple(part for part in whole if part != "[key]")
    of_name = error["type"] == "extra_forbidden" or len(path) < len(whole)
    if error["type"] == "extra_forbidden":
        words = f"unknown name; {nearest(str(path[-1]), _names(shape, path[:-1]), page)}"
    else:
        words = _words(error)
    document.complain(path, words, of_name=of_name)


def _words(error: Mapping[str, Any]) -> str:
    kind, got = error["type"], error["input"]
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return message
    if got is None:
        return "has no value; give one or remove the line"
    if kind in _MAPPINGS:
        return "must be a list of 'name: value' lines"
    if kind in _LISTS:
        return "must be a list, such as [a, b]"
    if isinstance(got, list | tuple | dict) and kind.endswith(("_type", "_parsing")):
        return f"must be one value, not a {'mapping' if isinstance(got, dict) else 'list'}"
    if kind in ("enum", "literal_error"):
        known = [one.strip("' ") for one in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"unknown value {repr(got)[:_SHOWN_CHARS]}; {nearest(str(got), known)}"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}; got {repr(got)[:_SHOWN_CHARS]}"
    shown = "" if isinstance(got, dict | list) else f"; got {repr(got)[:_SHOWN_CHARS]}"
    return f"{message[0].lower()}{message[1:]}{shown}"


def _names(shape: Any, path: FieldPath) -> tuple[str, ...]:
    """The names of the fields of the section at `path` of `shape`."""
    for part in path:
        shape = _bare(shape)
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            shape = shape.model_fields[str(part)].annotation
        else:  # a mapping's values, a list's items
            shape = get_args(shape)[-1 if get_origin(shape) is dict else 0]
    shape = _bare(shape)
    return tuple(shape.model_fields) if isinstance(shape, type) and issubclass(shape, BaseModel) else ()


def _bare(shape: Any) -> Any:
    """`shape` without what wraps it: annotations, `| None`."""
    while True:
        if get_origin(shape) is Annotated:
            shape = get_args(shape)[0]
        elif get_origin(shape) in (Union, types.UnionType):
            shape = next(one for one in get_args(shape) if one is not type(None))
        else:
            return shape
