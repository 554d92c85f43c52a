"""The functions of expressions. All take JSON values and give JSON values; sizes are limited."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from orchestrator.pipelines.errors import StepError

MAX_TEXT_CHARS = 2_000_000
MAX_ELEMENTS = 100_000


class Function(NamedTuple):
    """A function and how many values it takes."""

    compute: Callable[..., Any]
    least: int
    most: int


def text_of(value: Any) -> str:
    """A value as prompts and conditions show it: text as it is, null as nothing, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) else None)


def kind_of(value: Any) -> str:
    """What a value is, in the words of the documentation."""
    if value is None:
        return "null"
    names = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def limited(value: Any) -> Any:
    """`value`, unless it is too large."""
    if isinstance(value, str) and len(value) > MAX_TEXT_CHARS:
        raise StepError(f"a text of more than {MAX_TEXT_CHARS} characters")
    if isinstance(value, list) and len(value) > MAX_ELEMENTS:
        raise StepError(f"a list of more than {MAX_ELEMENTS} elements")
    return value


def number_of(value: Any) -> int | float:
    """A number, or a text that is one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 64:
        try:
            number = float(value.strip())
            return int(number) if number.is_integer() and abs(number) < 1e15 else _finite(number)
        except ValueError:
            pass
    shown = f" {value[:40]!r}" if isinstance(value, str) else ""
    raise StepError(f"a number is expected, not {kind_of(value)}{shown}")


def _finite(number: float) -> float:
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def list_of(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise StepError(f"a list is expected, not {kind_of(value)}")
    return value


def object_of(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise StepError(f"an object is expected, not {kind_of(value)}")
    return value


def parse_json(text: Any) -> Any:
    """The value of a JSON text."""
    try:
        return json.loads(text_of(text), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise StepError(f"not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def joined(values: Any, separator: Any = "\n") -> str:
    """The elements of a list as one text."""
    texts = [text_of(value) for value in list_of(values)]
    between = text_of(separator)
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT_CHARS:
        raise StepError(f"a text of more than {MAX_TEXT_CHARS} characters")
    return between.join(texts)


def parts_of(text: Any, separator: Any = None) -> list[str]:
    """The text between separators; white space where none is named."""
    mark = None if separator is None else text_of(separator)
    if mark == "":
        raise StepError("the separator of split is empty")
    return text_of(text).split(mark)


def replaced(text: Any, old: Any, new: Any) -> str:
    """The text with each `old` in it replaced by `new`."""
    before, wanted, instead = text_of(text), text_of(old), text_of(new)
    if not wanted:
        raise StepError("replace looks for an empty text")
    if len(before) + before.count(wanted) * len(instead) > 2 * MAX_TEXT_CHARS:
        raise StepError(f"a text of more than {MAX_TEXT_CHARS} characters")
    return before.replace(wanted, instead)


def has(whole: Any, part: Any) -> bool:
    """Whether a list has an element, an object an entry, anything else a text in its text."""
    if isinstance(whole, list):
        return part in whole
    return text_of(part) in (whole if isinstance(whole, dict) else text_of(whole))


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else len(text_of(value))


def _ordered(values: Any) -> list[Any]:
    try:
        return sorted(list_of(values))
    except TypeError:
        raise StepError("sort takes a list of numbers or a list of texts") from None


def _unique(values: Any) -> list[Any]:
    seen = {json.dumps(value, sort_keys=True): value for value in reversed(list_of(values))}
    return list(reversed(seen.values()))


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Callable[[Any], Any]:
    def compute(values: Any) -> Any:
        if not list_of(values):
            raise StepError(f"{name} of an empty list")
        return choose([number_of(value) for value in values])

    return compute


def _at(values: Any, index: int) -> Any:
    elements = list_of(values)
    return elements[index] if elements else None


def _flat(values: Any) -> list[Any]:
    return [each for value in list_of(values) for each in (value if isinstance(value, list) else [value])]


def _merged(*values: Any) -> Any:
    if all(isinstance(value, list) for value in values):
        return [each for value in values for each in value]
    return {name: each for value in values for name, each in object_of(value).items()}


def _range(count: Any) -> list[int]:
    wanted = number_of(count)
    if wanted > MAX_ELEMENTS:
        raise StepError(f"a list of more than {MAX_ELEMENTS} elements")
    return list(range(int(wanted)))


def _where(values: Any, key: Any, wanted: Any) -> list[Any]:
    return [each for each in list_of(values) if object_of(each).get(text_of(key)) == wanted]


def _round(value: Any, digits: Any = 0) -> float | int:
    places = max(-15, min(15, int(number_of(digits))))
    return round(number_of(value), places) if places else round(number_of(value))


def _slice(values: Any, first: Any, end: Any = None) -> Any:
    whole = values if isinstance(values, list) else text_of(values)
    return whole[int(number_of(first)) : None if end is None else int(number_of(end))]


FUNCTIONS: dict[str, Function] = {
    "abs": Function(lambda value: abs(number_of(value)), 1, 1),
    "coalesce": Function(lambda *values: next((each for each in values if each is not None), None), 1, 20),
    "contains": Function(has, 2, 2),
    "ends_with": Function(lambda text, end: text_of(text).endswith(text_of(end)), 2, 2),
    "first": Function(lambda values: _at(values, 0), 1, 1),
    "flatten": Function(_flat, 1, 1),
    "join": Function(joined, 1, 2),
    "json": Function(parse_json, 1, 1),
    "key_exists": Function(lambda value: value is not None, 1, 1),
    "keys": Function(lambda value: list(object_of(value)), 1, 1),
    "last": Function(lambda values: _at(values, -1), 1, 1),
    "len": Function(_size, 1, 1),
    "lower": Function(lambda text: text_of(text).lower(), 1, 1),
    "max": Function(_extreme(max, "max"), 1, 1),
    "merge": Function(_merged, 1, 20),
    "min": Function(_extreme(min, "min"), 1, 1),
    "not_empty": Function(bool, 1, 1),
    "number": Function(number_of, 1, 1),
    "pluck": Function(lambda values, key: [object_of(each).get(text_of(key)) for each in list_of(values)], 2, 2),
    "range": Function(_range, 1, 1),
    "replace": Function(replaced, 3, 3),
    "round": Function(_round, 1, 2),
    "slice": Function(_slice, 2, 3),
    "sort": Function(_ordered, 1, 1),
    "split": Function(parts_of, 1, 2),
    "starts_with": Function(lambda text, start: text_of(text).startswith(text_of(start)), 2, 2),
    "sum": Function(lambda values: sum(number_of(value) for value in list_of(values)), 1, 1),
    "text": Function(text_of, 1, 1),
    "to_json": Function(lambda value: json.dumps(value, ensure_ascii=False), 1, 1),
    "trim": Function(lambda text: text_of(text).strip(), 1, 1),
    "unique": Function(_unique, 1, 1),
    "upper": Function(lambda text: text_of(text).upper(), 1, 1),
    "where": Function(_where, 3, 3),
    "values": Function(lambda value: list(object_of(value).values()), 1, 1),
}
