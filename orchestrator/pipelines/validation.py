"""Whether a pipeline can run: everything that is wrong with it, before anything runs."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.domain.pipeline import ForEachStep, LlmStep, PipelineSpec, Step
from orchestrator.domain.pipeline_plan import PipelinePlan, Uses, link
from orchestrator.pipelines.inputs import inputs_of, likely_output, misfit
from orchestrator.pipelines.registered import function_names
from orchestrator.pipelines.step_checks import faults_of
from orchestrator.pipelines.uses import uses_of
from orchestrator.settings.yaml_files import nearest

MAX_STEPS = 1000
MAX_NESTING = 10

FilePath = tuple[str | int, ...]


class Problem(NamedTuple):
    """Something wrong. `path` leads to the field in the file, such as `("steps", 2, "model")`."""

    path: FilePath
    message: str


def plan_of(
    spec: PipelineSpec, functions: Container[str] = (), models: Iterable[ModelSpec] | None = None
) -> PipelinePlan:
    """The plan of a pipeline; see `problems`. Raises UserInputError with everything that keeps it from running."""
    found = problems(spec, models, functions)
    if found:
        messages = [problem.message for problem in found]
        raise UserInputErrors(messages) if len(messages) > 1 else UserInputError(messages[0])
    uses = uses_of(spec)
    return PipelinePlan(spec=spec, nodes=link(spec, uses)[0], inputs=inputs_of(spec, uses))


def problems(
    spec: PipelineSpec, models: Iterable[ModelSpec] | None = None, functions: Container[str] = ()
) -> tuple[Problem, ...]:
    """Everything that is wrong, in the order of the file.

    Names of models are checked where `models` are given; `functions` are those that were given in Python.
    """
    placed = list(_placed(spec.steps, ("steps",)))
    uses = uses_of(spec)
    found = [*_top(spec), *_names(spec, placed)]
    if len(placed) > MAX_STEPS:
        found.append(Problem(("steps",), f"{len(placed)} steps; at most {MAX_STEPS} are allowed"))
    for step, path in placed:
        if len(path) == 2 * MAX_NESTING + 2:
            found.append(Problem(path, f"Step '{step.name}': nested more than {MAX_NESTING} levels deep"))
        found += [Problem((*path, *fault.field), f"Step '{step.name}': {fault.message}") for fault in faults_of(step)]
        found += [_function_problem(step, path, functions)] if _unknown_function(step, functions) else []
    found += _variables(spec, placed, uses)
    paths = {step.name: path for step, path in reversed(placed)}
    for fault in link(spec, uses)[1]:
        field = (fault.field,) if fault.field else ()
        found.append(Problem((*paths[fault.step], *field), fault.message))
    if models is not None:
        found += _models(spec, placed, tuple(models))
    order = {path: position for position, (_, path) in enumerate(placed)}
    return tuple(sorted(found, key=lambda each: _position(each.path, order)))


def _position(path: FilePath, order: Mapping[FilePath, int]) -> int:
    while path and path not in order:
        path = path[:-1]
    return order.get(path, -1)


def _placed(steps: tuple[Step, ...], path: FilePath) -> Iterator[tuple[Step, FilePath]]:
    for index, step in enumerate(steps):
        here = (*path, index)
        yield step, here
        yield from _placed(step.children, (*here, "sub_steps"))


def _top(spec: PipelineSpec) -> Iterator[Problem]:
    if not spec.name.strip():
        yield Problem(("name",), "Pipeline name is required")
    if not spec.steps:
        yield Problem(("steps",), "Pipeline must have at least one step")
    for name, each in spec.inputs.items():
        if words := misfit(each):
            yield Problem(("inputs", name, "default"), f"Input '{name}': the default {words}")


def _names(spec: PipelineSpec, placed: list[tuple[Step, FilePath]]) -> Iterator[Problem]:
    names: set[str] = set()
    keys: set[str] = set()
    for step, path in placed:
        if step.name in names:
            yield Problem((*path, "name"), f"Duplicate step name: '{step.name}'")
        names.add(step.name)
        given = [(step.key, "output_key")]
        if isinstance(step, ForEachStep):
            given += [(step.item_var, "item_var"), (step.index_var, "item_var")]
        for key, field in given:
            if key in spec.inputs:
                yield Problem((*path, field), f"Step '{step.name}': '{key}' is an input, choose another name")
            elif key in keys:
                yield Problem((*path, field), f"Duplicate output key: '{key}'")
            keys.add(key)


def _unknown_function(step: Step, functions: Container[str]) -> bool:
    name = getattr(step, "function", "")
    return bool(name) and name not in functions and name not in function_names()


def _function_problem(step: Step, path: FilePath, functions: Container[str]) -> Problem:
    name = getattr(step, "function", "")
    known = function_names()
    hint = nearest(name, known) if known else "no installed package registers any"
    return Problem((*path, "function"), f"Step '{step.name}': unknown function '{name}'; {hint}")


def _variables(spec: PipelineSpec, placed: list[tuple[Step, FilePath]], uses: Mapping[str, Uses]) -> Iterator[Problem]:
    """Variables that nothing gives, or that only an element of a for_each has."""
    inputs = inputs_of(spec, uses)
    owners = {step.key: path for step, path in placed}
    loops = {path: step for step, path in placed if isinstance(step, ForEachStep)}
    for step, path in placed:
        found = uses[step.name]
        mapped = {outer: inner for inner, outer in step.input_mapping.items()}
        enclosing = [loop for at, loop in loops.items() if at == path[: len(at)] and at != path]
        local = {name for loop in enclosing for name in (loop.item_var, loop.index_var)}
        for name in dict.fromkeys((*found.needs, *found.may_use, *mapped)):
            field = ("input_mapping", mapped[name]) if name in mapped else _field_of(step, name)
            if name in local:
                continue
            if name in owners:
                hidden = [loop for at, loop in loops.items() if at != owners[name] and at == owners[name][: len(at)]]
                outside = [loop for loop in hidden if loop not in enclosing]
                if outside:
                    loop = outside[0]
                    words = f"'{name}' is given once per element of '{loop.name}'; all of them are '{loop.key}'"
                    yield Problem((*path, *field), f"Step '{step.name}': {words}")
            elif name not in inputs:
                hint = nearest(name, (*inputs, *owners, *local))
                yield Problem((*path, *field), f"Step '{step.name}': no input and no step gives '{name}'; {hint}")
            elif not spec.inputs and (meant := likely_output(name, spec)):
                words = f"no step gives '{name}'; did you mean '{meant}'?"
                yield Problem((*path, *field), f"Step '{step.name}': {words}")


def _field_of(step: Step, name: str) -> tuple[str, ...]:
    """The field in which a variable is read, as far as a reader must be told."""
    fields = ("prompt", "system", "expression", "options", "items", "condition")
    return next(((field,) for field in fields if name in str(getattr(step, field, ""))), ())


def _models(
    spec: PipelineSpec, placed: list[tuple[Step, FilePath]], models: tuple[ModelSpec, ...]
) -> Iterator[Problem]:
    known = [name for model in models for name in (model.id, model.model, *model.aliases)]
    for step, path in placed:
        if not isinstance(step, LlmStep):
            continue
        asked: list[tuple[str, FilePath]] = [(step.model, ("model",))]
        asked += [(name, ("fallback", index)) for index, name in enumerate(step.fallback)]
        for name, field in asked:
            model = find_model(name, models) if name else None
            if name and model is None:
                words = f"unknown model '{name[:80]}'; {_nearest_model(name, known)}"
                yield Problem((*path, *field), f"Step '{step.name}': {words}")
            elif model is not None and spec.budget is not None and not model.prices:
                words = f"the price of {model.id} is not known, so that no budget can hold; set it, or drop the budget"
                yield Problem((*path, *field), f"Step '{step.name}': {words}")


def _nearest_model(name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    return hint if hint.startswith("did you mean") else "'orch-cli models' lists them"
