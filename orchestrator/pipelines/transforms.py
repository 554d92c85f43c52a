"""Transforms: expressions, built-ins and Python functions. Values are JSON."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.pipeline import TransformStep
from orchestrator.domain.text import one_line
from orchestrator.pipelines.builtins import Join, JsonParse, Merge, Regex, Select, Split, options_of
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.evaluation import value_of
from orchestrator.pipelines.functions import FUNCTIONS, MAX_TEXT_CHARS, joined, parse_json, parts_of, text_of
from orchestrator.pipelines.registered import ENTRY_POINTS, TransformFunction, find_function
from orchestrator.prompts.answers import find_structured

REGEX_LIMIT_S = 5.0

# Python's engine can take for ever and holds the interpreter's lock meanwhile: matches are made by a process that ends.
_MATCHER = """
import json, re, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except ImportError:
    pass
asked = json.load(sys.stdin)
pattern = re.compile(asked["pattern"], asked["flags"])
if asked["replace"] is not None:
    found = pattern.sub(asked["replace"], asked["text"])
elif asked["all"]:
    found = [match[asked["group"]] for match in pattern.finditer(asked["text"])]
else:
    match = pattern.search(asked["text"])
    found = match and match[asked["group"]]
answer = json.dumps(found)
if len(answer) > asked["limit"]:
    sys.exit("the result is too large")
print(answer)
"""


def transformed(
    step: TransformStep, values: Mapping[str, JsonValue], functions: Mapping[str, TransformFunction] | None = None
) -> JsonValue:
    """The output of a transform. `functions` are those that were given in Python. Raises StepError."""
    if step.expression:
        return value_of(step.expression, values)
    if step.builtin is not None:
        return _built_in(step, values)
    function = (functions or {}).get(step.function) or find_function(step.function)
    if function is None:
        raise StepError(f"no function {step.function!r} is registered under {ENTRY_POINTS}")
    try:
        found: JsonValue = function(dict(values))
    except Exception as error:
        raise StepError(f"{type(error).__name__}: {one_line(str(error))}") from error
    return found


def _built_in(step: TransformStep, values: Mapping[str, JsonValue]) -> JsonValue:
    def given(name: str) -> Any:
        if name not in values:
            raise StepError(f"missing variable '{name}'")
        return values[name]

    try:
        options = options_of(step)
    except ValidationError as error:
        raise StepError(f"options: {one_line(str(error))}") from None
    match options:
        case JsonParse(input=name):
            return json_in(given(name))
        case Select(input=name):
            return _selected(options, given(name), has_default="default" in step.options)
        case Join(input=name, inputs=names, separator=separator):
            return joined(given(name) if name else [given(each) for each in names], separator)
        case Regex(input=name):
            return _matched(options, text_of(given(name)))
        case Split(input=name, separator=separator, keep_empty=keep_empty):
            parts = (part.strip() for part in parts_of(given(name), separator))
            return [part for part in parts if part or keep_empty]
        case Merge(inputs=names):
            merged: JsonValue = FUNCTIONS["merge"].compute(*(given(name) for name in names))
            return merged


def json_in(value: Any) -> JsonValue:
    """The JSON of a text: all of it, else the first object or list in it."""
    text = text_of(value)
    try:
        found: JsonValue = parse_json(text)
        return found
    except StepError:
        return structured(text)[0]


def structured(
    text: str, accept: Callable[[Any], JsonValue] = lambda value: value
) -> tuple[JsonValue, tuple[str, ...]]:
    """The object or list in a text that `accept` takes, and what had to be mended. Raises StepError."""
    try:
        return find_structured(text, accept)
    except AnswerError as error:
        raise StepError(str(error)) from None


def _selected(options: Select, value: Any, *, has_default: bool) -> JsonValue:
    path = options.path if options.path.startswith("[") else f".{options.path}"
    try:
        return value_of(f"it{path}", {"it": value})
    except StepError:
        if has_default:
            return options.default
        raise


def _matched(options: Regex, text: str) -> JsonValue:
    asked = {
        "pattern": options.pattern,
        "flags": (2 if options.ignore_case else 0) | (8 if options.multiline else 0),
        "group": options.group,
        "all": options.all,
        "replace": options.replace,
        "text": text,
        "limit": MAX_TEXT_CHARS,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCHER],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
            timeout=REGEX_LIMIT_S,
            env={},  # of keys it knows nothing
        )
    except subprocess.TimeoutExpired:
        raise StepError(f"regex: no end within {REGEX_LIMIT_S:g} s; simplify the pattern") from None
    if done.returncode != 0:
        raise StepError(f"regex: {one_line(done.stderr.strip().rpartition(chr(10))[2])}")
    found: JsonValue = json.loads(done.stdout)
    return found
