"""Pipelines from YAML: everything that is wrong with a file at once, each with line and column."""

import math
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.pipeline import (
    SHORT_RETRY_DELAY_S,
    ConditionalStep,
    ForEachStep,
    InputSpec,
    LlmStep,
    ParallelGroup,
    PipelineSpec,
    StepBase,
    TransformStep,
)
from orchestrator.pipelines.validation import FilePath, problems
from orchestrator.settings.yaml_files import mismatches, nearest
from orchestrator.settings.yaml_source import YamlDocument, parse_document, read_bytes

T = TypeVar("T", bound=BaseModel)

PAGE = "docs/pipelines.md"
KINDS: dict[str, type[StepBase]] = {
    "llm": LlmStep,
    "transform": TransformStep,
    "conditional": ConditionalStep,
    "parallel_group": ParallelGroup,
    "for_each": ForEachStep,
}
_JSON_FIELDS = ("metadata", "options", "response_schema", "default")  # typed as YAML has them; the rest is text
_LISTS = ("depends_on", "fallback")  # one name may be written without brackets
_ROUNDS = 30


class PipelineFileError(UserInputErrors, ValueError):
    """A file that is no pipeline, or one that cannot run: `problems` has one line for each thing."""


def load_pipeline(
    path: Path, models: Iterable[ModelSpec] | None = None, functions: Container[str] = ()
) -> PipelineSpec:
    """The pipeline in a file, which can run. Names of models are checked where `models` are given.

    Raises PipelineFileError with everything that is wrong.
    """
    try:
        data = read_bytes(path)
    except UserInputError as error:
        raise PipelineFileError([str(error)]) from None
    return parse_pipeline(data, str(path), models=models, functions=functions)


def parse_pipeline(
    data: str | bytes,
    name: str = "pipeline",
    *,
    check: bool = True,
    models: Iterable[ModelSpec] | None = None,
    functions: Container[str] = (),
) -> PipelineSpec:
    """The pipeline in a text, which errors call `name`. Without `check` it may be one that cannot run.

    Raises PipelineFileError with everything that is wrong.
    """
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    try:
        text, typed = parse_document(raw, name), parse_document(raw, name, typed=True)
        reader = _Reader(text)
        spec = reader.pipeline(typed.value)
        for path, message in problems(spec, models, functions) if check else ():
            reader.complain(path, message)
        text.check()
    except UserInputErrors as error:
        raise PipelineFileError(error.problems) from None
    except UserInputError as error:
        raise PipelineFileError([str(error)]) from None
    return spec


class _Reader:
    """Reads what can be read. What cannot is left out and remembered, so that nothing follows from its absence."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._left_out: list[FilePath] = []
        self._lost: list[str] = []  # names of steps that could not be read

    def complain(self, path: FilePath, message: str) -> None:
        """Complain of a problem, unless it follows from something that was left out."""
        follows = any(path[: len(gone)] == gone for gone in self._left_out)
        if not follows and not any(f"'{name}'" in message for name in self._lost):
            self._document.complain(path, message)

    def pipeline(self, typed: Any) -> PipelineSpec:
        """The pipeline, as far as it can be read."""
        value = self._document.value
        if not isinstance(value, dict):
            raise self._document.error((), "a pipeline is a list of 'name: value' lines, such as 'steps: ...'")
        fields = self._fields(value, typed)
        inputs = fields.get("inputs")
        if isinstance(inputs, dict):
            fields["inputs"] = {name: self._input(name, each, _entry(typed, "inputs")) for name, each in inputs.items()}
        fields["steps"] = self._steps(fields.get("steps"), _entry(typed, "steps"), ("steps",))
        return self._shaped(PipelineSpec, fields, ())

    def _input(self, name: str, value: Any, typed: Any) -> InputSpec:
        path: FilePath = ("inputs", name)
        if value is not None and not isinstance(value, dict):
            self._leave_out(path, "must be lines such as 'type: string'; empty for an input of any type")
            return InputSpec()
        return self._shaped(InputSpec, self._fields(value or {}, _entry(typed, name)), path)

    def _steps(self, value: Any, typed: Any, path: FilePath) -> tuple[Any, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self._leave_out(path, "must be a list of steps, each beginning with '- name: ...'")
            return ()
        return tuple(self._step(each, _entry(typed, index), (*path, index)) for index, each in enumerate(value))

    def _step(self, value: Any, typed: Any, path: FilePath) -> StepBase:
        if not isinstance(value, dict):
            self._leave_out(path, "must be a step: lines such as 'name: ...', 'model: ...' and 'prompt: ...'")
            return LlmStep(name=_placeholder(path))
        fields = self._modern(self._fields(value, typed), path)
        kind = fields.pop("step_type", "llm")
        shape = KINDS.get(str(kind))
        if shape is None:
            self._document.complain((*path, "step_type"), f"unknown kind of step; {nearest(str(kind), KINDS)}")
            self._left_out.append(path)
            known = {name: each for name, each in fields.items() if name in ("name", "output_key")}
            return self._shaped(LlmStep, known, path)
        if "sub_steps" in fields and "sub_steps" in shape.model_fields:
            fields["sub_steps"] = self._steps(fields["sub_steps"], _entry(typed, "sub_steps"), (*path, "sub_steps"))
        return self._shaped(shape, fields, path)

    def _fields(self, value: dict[str, Any], typed: Any) -> dict[str, Any]:
        """The fields that are there; those of JSON, and lists to go through, with their types."""
        found = {}
        for name, each in value.items():
            as_json = name in _JSON_FIELDS or (name == "items" and isinstance(each, list))
            if each is not None or name in ("timeout_seconds", "default"):
                found[name] = _json(_entry(typed, name), each) if as_json else each
        return found

    def _modern(self, fields: dict[str, Any], path: FilePath) -> dict[str, Any]:
        """The fields under the names that they have today."""
        for old, new in (("prompt_template", "prompt"), ("max_retries", "retry")):
            if old not in fields:
                continue
            if new in fields:
                self._document.complain((*path, old), f"says the same as '{new}'; keep one of the two", of_name=True)
                del fields[old]
                continue
            self._document.stands_for((*path, new), (*path, old))
            given = fields.pop(old)
            fields[new] = {"max_retries": given, "base_delay_s": SHORT_RETRY_DELAY_S} if new == "retry" else given
            self._document.stands_for((*path, new, old), (*path, old))
        for name in _LISTS:
            if isinstance(fields.get(name), str):
                fields[name] = [fields[name]]
        if fields.get("step_type") == "parallel":
            fields["step_type"] = "parallel_group"
        return fields

    def _shaped(self, shape: type[T], fields: dict[str, Any], path: FilePath) -> T:
        for _ in range(_ROUNDS):
            try:
                return shape.model_validate(fields)
            except ValidationError as error:
                mismatches(self._document, shape, error, at=path, page=PAGE)
                for each in error.errors(include_url=False):
                    self._repair(fields, str(each["loc"][0]), path)
        raise self._document.error(path, "too much is wrong here")

    def _repair(self, fields: dict[str, Any], name: str, path: FilePath) -> None:
        """Leave out a field that has no sense; a step without a name gets one."""
        self._left_out.append((*path, name))
        gone = fields.pop(name, None)
        if name == "name":
            fields[name] = _placeholder(path)
            self._lost.append(str(gone))

    def _leave_out(self, path: FilePath, words: str) -> None:
        self._document.complain(path, words)
        self._left_out.append(path)


def _placeholder(path: FilePath) -> str:
    return "unreadable_" + "_".join(str(part) for part in path if isinstance(part, int))


def _entry(value: Any, key: str | int) -> Any:
    """An entry of a typed value, None where there is none."""
    try:
        return value[key]
    except (TypeError, LookupError):
        return None


def _json(typed: Any, text: Any) -> Any:
    """The value with the types of JSON: what YAML knows beyond them, such as dates, is text."""
    if isinstance(text, dict):
        return {name: _json(_entry(typed, name), each) for name, each in text.items()}
    if isinstance(text, list):
        return [_json(_entry(typed, index), each) for index, each in enumerate(text)]
    if isinstance(typed, float) and not math.isfinite(typed):
        return text
    return typed if isinstance(typed, str | int | float) else text
