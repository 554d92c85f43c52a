"""Inputs of a pipeline: which there are, and whether what is given fits."""

import difflib
import json
from collections.abc import Mapping

from pydantic import JsonValue

from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.pipeline import ForEachStep, InputSpec, InputType, PipelineSpec, Step
from orchestrator.domain.pipeline_plan import PipelinePlan, Uses
from orchestrator.pipelines.functions import kind_of
from orchestrator.settings.yaml_files import nearest

_TYPES: dict[InputType, tuple[type, ...]] = {
    InputType.STRING: (str,),
    InputType.NUMBER: (int, float),
    InputType.INTEGER: (int,),
    InputType.BOOLEAN: (bool,),
    InputType.LIST: (list,),
    InputType.OBJECT: (dict,),
}
_NAMES = {
    InputType.STRING: "a text",
    InputType.NUMBER: "a number",
    InputType.INTEGER: "a whole number",
    InputType.BOOLEAN: "true or false",
    InputType.LIST: "a list",
    InputType.OBJECT: "an object",
}
_MISSPELT = 0.8  # likeness from which a name is taken for a misspelt one


def given(plan: PipelinePlan, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """All inputs of a run: what is given, and defaults; null for what is neither. Texts are read as the declared type.

    A pipeline that declares no inputs takes any further ones too: its Python functions see them. Raises
    UserInputError with everything that is wrong.
    """
    faults = []
    declared = bool(plan.spec.inputs)
    for name in values:
        if declared and name not in plan.inputs:
            faults.append(f"input {name!r}: unknown; {nearest(name, plan.inputs)}")
    found: dict[str, JsonValue] = {} if declared else dict(values)
    for name, spec in plan.inputs.items():
        if name not in values:
            if spec.required:
                faults.append(f"input {name!r}: is missing; give it as -i {name}=... or in the inputs")
            found[name] = spec.default
            continue
        try:
            found[name] = _fitting(spec.type, values[name])
        except ValueError as error:
            faults.append(f"input {name!r}: {error}")
    if faults:
        raise UserInputErrors(faults) if len(faults) > 1 else UserInputError(faults[0])
    return found


def misfit(spec: InputSpec) -> str:
    """What is wrong with the default of an input, empty if nothing is."""
    if spec.default is None:
        return ""
    try:
        fitting = _fitting(spec.type, spec.default)
    except ValueError as error:
        return str(error)
    return "" if fitting == spec.default else f"must be {_NAMES[spec.type]}, not a text"


def inputs_of(spec: PipelineSpec, uses: Mapping[str, Uses]) -> dict[str, InputSpec]:
    """The declared inputs, else the variables that no step gives; those that steps can do without are not required."""
    if spec.inputs:
        return dict(spec.inputs)
    given_by_steps = {*_outputs(spec.steps)}
    found: dict[str, bool] = {}
    for name, required in _read(spec.steps, uses, frozenset()):
        if name not in given_by_steps:
            found[name] = found.get(name, False) or required
    return {name: InputSpec(required=required) for name, required in found.items()}


def likely_output(name: str, spec: PipelineSpec) -> str:
    """The output that somebody who wrote `name` probably meant, empty where there is none."""
    near = difflib.get_close_matches(name, [*_outputs(spec.steps)], n=1, cutoff=_MISSPELT)
    return near[0] if near else ""


def _outputs(steps: tuple[Step, ...]) -> list[str]:
    return [key for step in steps for key in (step.key, *_outputs(step.children))]


def _read(steps: tuple[Step, ...], uses: Mapping[str, Uses], loops: frozenset[str]) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for step in steps:
        known = uses.get(step.name, Uses())
        read = [(name, True) for name in known.needs] + [(name, False) for name in known.may_use]
        read += [(name, False) for name in step.input_mapping.values()]
        found += [(name, required) for name, required in read if name not in loops]
        inner = loops | {step.item_var, step.index_var} if isinstance(step, ForEachStep) else loops
        found += _read(step.children, uses, inner)
    return found


def _fitting(kind: InputType, value: JsonValue) -> JsonValue:
    """The value as its type has it. Raises ValueError."""
    if kind is InputType.ANY or value is None:
        return value
    if isinstance(value, str) and kind is not InputType.STRING:
        text = value
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"must be {_NAMES[kind]}; got {text[:60]!r}") from None
    fits = isinstance(value, _TYPES[kind]) and isinstance(value, bool) is (kind is InputType.BOOLEAN)
    if not fits:
        raise ValueError(f"must be {_NAMES[kind]}, not {kind_of(value)}")
    return value
