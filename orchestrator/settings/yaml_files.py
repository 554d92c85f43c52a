"""Documents checked against a shape; each error names file, line, column, field and fix, all of them at once."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Tag, ValidationError, model_validator

from orchestrator.domain.base import Frozen
from orchestrator.settings.yaml_source import FieldPath, YamlDocument

T = TypeVar("T", bound=BaseModel)

# Tags of what may be written in several ways: `Annotated[Annotated[str, Tag(VALUE)] | Annotated[tuple[str, ...],
# Tag(LIST)], Discriminator(form)]`.
VALUE, LIST, MAPPING = "<value>", "<list>", "<mapping>"

_SHOWN_CHARS = 60
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type", "mapping_type")
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_WANTED = {
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "decimal_parsing": "a number",
    "date_from_datetime_parsing": "a date such as 2026-01-31",
}
_MAPPING_WANTED = "must be a list of 'name: value' lines"


class Section(Frozen):
    """A shape whose names may be written with `-` or `_`; the line below a field describes it in the JSON Schema.

    `replaced`: names that are known from elsewhere and not taken, each with what to write instead.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    replaced: ClassVar[Mapping[str, str]] = {}

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


def form(value: Any) -> str:
    """Which of VALUE, LIST and MAPPING the value is."""
    if isinstance(value, dict | BaseModel):
        return MAPPING
    return LIST if isinstance(value, list | tuple) else VALUE


def shaped(document: YamlDocument, shape: type[T], *, page: str = "", context: Any = None) -> T:
    """The document as `shape`; an empty document is an empty mapping.

    `page` is the page of the documentation that describes the fields; `context` reaches the validators of the shape.
    Raises UserInputError with everything that is wrong.
    """
    value = {} if document.value is None else document.value
    try:
        found = shape.model_validate(value, context=context)
    except ValidationError as error:
        mismatches(document, shape, error, page=page)
    document.check()
    return found


def mismatches(
    document: YamlDocument, shape: type[BaseModel], error: ValidationError, *, at: FieldPath = (), page: str = ""
) -> None:
    """Complain of everything in `error`, which is what `shape` found wrong with the value at `at`."""
    wrong = error.errors(include_url=False)
    meant = {path for one in wrong if (path := _meant(shape, one))}
    for one in wrong:
        if one["type"] != "missing" or tuple(one["loc"]) not in meant:  # it is there, misspelt
            _complain(document, shape, one, at, page)


def nearest(name: str, known: Iterable[str], page: str = "") -> str:
    """What somebody who wrote `name` may have meant: the fix of an error."""
    names = tuple(known)
    near = _near(name, names)
    if near:
        return f"did you mean '{near}'?"
    return f"known names: {', '.join(names)}" + (f" ({page} describes them)" if page else "")


def _near(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.5)), "")


def _meant(shape: type[BaseModel], error: Mapping[str, Any]) -> FieldPath | None:
    """The field that an unknown name probably is."""
    if error["type"] != "extra_forbidden":
        return None
    *above, name = error["loc"]
    section = _section(shape, tuple(above))
    near = _near(str(name), section.model_fields) if section else ""
    return (*above, near) if near else None


def _complain(
    document: YamlDocument, shape: type[BaseModel], error: Mapping[str, Any], at: FieldPath, page: str
) -> None:
    whole: FieldPath = tuple(error["loc"])
    path = tuple(part for part in whole if part not in ("[key]", VALUE, LIST, MAPPING))
    unknown = error["type"] == "extra_forbidden"
    words = _unknown(_section(shape, whole[:-1]), str(path[-1]), page) if unknown else _words(error)
    document.complain((*at, *path), words, of_name=unknown or "[key]" in whole)


def _unknown(section: type[BaseModel] | None, name: str, page: str) -> str:
    if section is not None and issubclass(section, Section) and name in section.replaced:
        return f"is not taken here: {section.replaced[name]}"
    return f"unknown name; {nearest(name, section.model_fields if section else (), page)}"


def _words(error: Mapping[str, Any]) -> str:
    kind, got = error["type"], error["input"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if got is None:
        return "has no value; give one or remove the line"
    if kind in _MAPPINGS:
        return _MAPPING_WANTED
    if kind in _LISTS:
        return "must be a list, such as [a, b]"
    if kind == "union_tag_invalid" and isinstance(got, str):
        return _MAPPING_WANTED if MAPPING in error["ctx"]["expected_tags"] else "must be a list, such as [a, b]"
    if isinstance(got, list | tuple | dict) and (kind.endswith(("_type", "_parsing")) or kind == "enum"):
        return f"must be one value, not a {'mapping' if isinstance(got, dict) else 'list'}"
    if kind == "union_tag_invalid":
        return f"must not be a {'mapping' if isinstance(got, dict) else 'list'}"
    if kind in ("enum", "literal_error"):
        known = [one.strip("' ") for one in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"unknown value {repr(got)[:_SHOWN_CHARS]}; {nearest(str(got), known)}"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}; got {repr(got)[:_SHOWN_CHARS]}"
    message = str(error["msg"])
    shown = "" if isinstance(got, dict | list) else f"; got {repr(got)[:_SHOWN_CHARS]}"
    return f"{message[0].lower()}{message[1:]}{shown}"


def _section(shape: Any, path: FieldPath) -> type[BaseModel] | None:
    """The shape of the section at `path`, None where there is none."""
    for part in path:
        shape = _inner(_bare(shape), part)
    shape = _bare(shape)
    return shape if isinstance(shape, type) and issubclass(shape, BaseModel) else None


def _inner(shape: Any, part: str | int) -> Any:
    """What is one step further in `shape`."""
    if part in (VALUE, LIST, MAPPING):
        return next(one for one in get_args(shape) if Tag(str(part)) in get_args(one))
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return shape.model_fields[str(part)].annotation
    return get_args(shape)[-1 if get_origin(shape) is dict else 0]  # a mapping's values, a list's items


def _bare(shape: Any) -> Any:
    """`shape` without what wraps it: annotations, `| None`."""
    while True:
        if get_origin(shape) is Annotated:
            shape = get_args(shape)[0]
        elif get_origin(shape) in (Union, types.UnionType) and type(None) in get_args(shape):
            others = [one for one in get_args(shape) if one is not type(None)]
            if len(others) > 1:
                return Union[tuple(others)]  # noqa: UP007  made of a list
            shape = others[0]
        else:
            return shape
