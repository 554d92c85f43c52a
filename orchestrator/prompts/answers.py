"""Structured answers: JSON found in a model's text, repaired where that is safe, and validated."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from json_repair import repair_json
from pydantic import BaseModel, ValidationError

from orchestrator.domain.answer_text import AnswerError, scan
from orchestrator.domain.answers import PlanAnswer, UncheckedSuggestions

Answer = TypeVar("Answer", bound=BaseModel)
T = TypeVar("T")

REPAIRED = "JSON repaired"
MAX_CHARS = 400_000
_MAX_STARTS = 50  # places in prose at which JSON is looked for
_SHOWN_ERRORS = 3
_ERROR_CHARS = 200
_OPEN = {"{": "}", "[": "]"}
_LISTS: dict[type[BaseModel], str] = {PlanAnswer: "tasks", UncheckedSuggestions: "suggestions"}  # answers of one list
_DECODER = json.JSONDecoder()


def parse_structured(text: str, answer: type[Answer]) -> tuple[Answer, tuple[str, ...]]:
    """The answer in `text` and notes about what had to be mended; see `find_structured`."""
    return find_structured(text, lambda value: _validated(value, answer))


def find_structured(text: str, accept: Callable[[Any], T]) -> tuple[T, tuple[str, ...]]:
    """What `accept` makes of the JSON in `text`, and notes about what had to be mended.

    Reasoning, prose and fences around it are ignored. Broken JSON is repaired only where its end is there: an
    answer that is cut off would otherwise lose its last part in silence. `accept` raises AnswerError for an object
    or list that is not the one that was meant. Raises AnswerError with one line for the model.
    """
    if len(text) > MAX_CHARS:
        raise AnswerError(f"the answer is longer than {MAX_CHARS} characters")
    error = AnswerError("no JSON object found in the answer")
    candidates = _candidates(text)
    for candidate in candidates:
        for value in _values(candidate):
            try:
                return accept(value), ()
            except AnswerError as found:
                error = found
    for candidate in candidates:
        repaired = _repaired(candidate)
        if repaired is not None:
            return accept(repaired), (REPAIRED,)
    if any(_is_cut_off(candidate) for candidate in candidates):
        raise AnswerError("the JSON is cut off or its brackets do not match: give it whole")
    raise error


def _candidates(text: str) -> list[str]:
    """Texts that may hold the JSON, the likeliest first."""
    scanned = scan(text)
    found = [block.content.strip() for block in scanned.blocks]
    found.sort(key=lambda content: not content.startswith(tuple(_OPEN)))
    return [candidate for candidate in (*found, scanned.prose) if candidate]


def _values(candidate: str) -> Iterator[Any]:
    """Objects and lists that are valid JSON, outermost first."""
    at = 0
    for _ in range(_MAX_STARTS):
        at = _next_start(candidate, at)
        if at < 0:
            return
        try:
            value, at = _DECODER.raw_decode(candidate, at)
        except (ValueError, RecursionError):
            if _open_brackets(candidate[at:]):
                return  # cut off: what is whole inside of it is only a part
            at += 1
            continue
        yield value


def _next_start(text: str, at: int) -> int:
    found = [position for mark in _OPEN if (position := text.find(mark, at)) >= 0]
    return min(found, default=-1)


def _repaired(candidate: str) -> Any | None:
    """The object or list that `candidate` was meant to be, None where its end is missing."""
    start = _next_start(candidate, 0)
    if start < 0:
        return None
    end = candidate.rfind(_OPEN[candidate[start]])
    span = candidate[start : end + 1]
    if end < start or _open_brackets(span):
        return None
    try:
        value = repair_json(span, return_objects=True, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and value else None


def _is_cut_off(candidate: str) -> bool:
    start = _next_start(candidate, 0)
    return start >= 0 and bool(_open_brackets(candidate[start:]))


def _open_brackets(span: str) -> bool:
    """True if brackets outside of strings are still open, or a string is."""
    depth = 0
    quoted = escaped = False
    for char in span:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
    return quoted or depth != 0


def _validated(value: Any, answer: type[Answer]) -> Answer:
    if answer in _LISTS and isinstance(value, list):
        value = {_LISTS[answer]: value}
    if not isinstance(value, dict):
        raise AnswerError("a JSON object was expected")
    if isinstance(value.get("score"), bool):
        raise AnswerError("score: a number between 0 and 1 was expected")
    try:
        return answer.model_validate(_cleaned(value))
    except ValidationError as error:
        raise AnswerError(_described(error)) from None
    except RecursionError:
        raise AnswerError("the JSON is nested too deeply") from None


def _cleaned(value: Any) -> Any:
    """Without null, which models write for what they leave out, and without what UTF-8 cannot carry."""
    if isinstance(value, dict):
        return {name: _cleaned(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _described(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_input=False)
    shown = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in errors[:_SHOWN_ERRORS]]
    more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
    return f"{'; '.join(shown)}{more}"[:_ERROR_CHARS]
