"""What is run: a pipeline's steps with what each waits for, and the names of their instances."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from orchestrator.domain.base import Frozen
from orchestrator.domain.pipeline import ForEachStep, InputSpec, ParallelGroup, PipelineSpec, Step, all_steps


class Uses(Frozen):
    """Variables that a step reads, its `input_mapping` already applied.

    It cannot run without those of `needs`; those of `may_use` may be missing. `everything`: a Python function, which
    sees all variables.
    """

    needs: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    everything: bool = False


class Node(Frozen):
    """One step of the plan. `after`: steps beside it that must be done or skipped before it starts."""

    holders: tuple[str, ...] = ()  # the steps that hold it, outermost first
    after: tuple[str, ...] = ()
    uses: Uses = Uses()


class PipelinePlan(Frozen):
    """A valid pipeline, ready to run. An instance of a step is named by its path, such as `each[17]/group/step`.

    `inputs` are those that it declares, else those that its steps read and no step gives.
    """

    spec: PipelineSpec
    nodes: dict[str, Node]
    inputs: dict[str, InputSpec] = {}

    @cached_property
    def steps(self) -> dict[str, Step]:
        """All steps by name."""
        return {step.name: step for step in all_steps(self.spec.steps)}

    @cached_property
    def producers(self) -> dict[str, str]:
        """The step that gives each variable, by variable."""
        return {step.key: step.name for step in self.steps.values()}

    def step_of(self, instance: str) -> Step:
        """The step of an instance."""
        return self.steps[step_name(instance)]

    def node_of(self, instance: str) -> Node:
        """The node of an instance."""
        return self.nodes[step_name(instance)]

    def seen_from(self, instance: str, name: str) -> str | None:
        """The instance of step `name` that `instance` sees, None if it stands in a loop that `instance` is not in."""
        own = instance.split("/")
        path = [*self.nodes[name].holders, name]
        shared = 0
        while shared < min(len(own), len(path)) - 1 and step_name(own[shared]) == path[shared]:
            shared += 1
        if any(isinstance(self.steps[holder], ForEachStep) for holder in path[shared:-1]):
            return None
        return "/".join((*own[:shared], *path[shared:]))


def step_name(instance: str) -> str:
    """The name of the step in the path of an instance, or in one part of it."""
    return instance.rpartition("/")[2].partition("[")[0]


def holder_of(instance: str) -> str:
    """The instance that holds this one, empty at the top."""
    head = instance.rpartition("/")[0]
    before, _, last = head.rpartition("/")
    last = last.partition("[")[0]
    return f"{before}/{last}" if before else last


class Fault(NamedTuple):
    """Something wrong with the order of steps: the step whose line is to blame, the field, and the words."""

    step: str
    field: str
    message: str


def link(spec: PipelineSpec, uses: Mapping[str, Uses]) -> tuple[dict[str, Node], list[Fault]]:
    """The nodes of all steps, and what is wrong with their order. Of steps with the same name the last counts."""
    paths = dict(_paths(spec.steps, ()))
    steps = {step.name: step for step in all_steps(spec.steps)}
    producers = {step.key: step.name for step in steps.values()}
    after: dict[str, list[str]] = {name: [] for name in steps}
    faults: list[Fault] = []
    for name, step in steps.items():
        wanted = dict.fromkeys(step.depends_on, "depends_on")
        found = uses.get(name, Uses())
        for variable in (*found.needs, *found.may_use):
            if variable in producers:
                wanted.setdefault(producers[variable], "")
        for target, field in wanted.items():
            if target not in paths:
                faults.append(Fault(name, field, f"Step '{name}' depends on unknown step '{target}'"))
                continue
            edge = _beside(paths[name], paths[target])
            if edge is None:
                faults.append(Fault(name, field, _entangled(name, target)))
            elif edge[1] not in after[edge[0]]:
                after[edge[0]].append(edge[1])
    _wait_for_earlier(spec.steps, uses, after, within_group=False)
    faults += [Fault(names[0], "", _circle(names)) for names in _cycles(after)]
    nodes = {
        name: Node(holders=paths[name][:-1], after=tuple(after[name]), uses=uses.get(name, Uses())) for name in steps
    }
    return nodes, faults


def _paths(steps: tuple[Step, ...], holders: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for step in steps:
        path = (*holders, step.name)
        yield step.name, path
        yield from _paths(step.children, path)


def _beside(path: tuple[str, ...], target: tuple[str, ...]) -> tuple[str, str] | None:
    """Who waits, and for whom: the two where the paths part. None if one holds the other."""
    shared = 0
    while shared < min(len(path), len(target)) and path[shared] == target[shared]:
        shared += 1
    if shared == len(path) or shared == len(target):
        return None
    return path[shared], target[shared]


def _entangled(name: str, target: str) -> str:
    if name == target:
        return f"Step '{name}' depends on itself"
    return f"Step '{name}' depends on '{target}', and one of the two holds the other"


def _wait_for_earlier(
    steps: tuple[Step, ...], uses: Mapping[str, Uses], after: dict[str, list[str]], *, within_group: bool
) -> bool:
    """A function that sees everything waits for all before it, unless it says for whom. True if one is in here."""
    any_blind = False
    for position, step in enumerate(steps):
        inside = _wait_for_earlier(step.children, uses, after, within_group=isinstance(step, ParallelGroup))
        blind = inside or (uses.get(step.name, Uses()).everything and not step.depends_on)
        if blind and not within_group:
            after[step.name] += [each.name for each in steps[:position] if each.name not in after[step.name]]
        any_blind = any_blind or blind
    return any_blind


def _circle(names: list[str]) -> str:
    return "Steps wait for each other: " + " -> ".join(f"'{name}'" for name in (*names, names[0]))


def _cycles(after: Mapping[str, list[str]]) -> list[list[str]]:
    """One circle of every knot of steps that can never start, each from its first step on."""
    left = {name: list(before) for name, before in after.items()}
    while free := [name for name, before in left.items() if not any(each in left for each in before)]:
        for name in free:
            del left[name]
    found: list[list[str]] = []
    seen: set[str] = set()
    for start in left:
        walk: list[str] = []
        name = start
        while name not in seen:
            seen.add(name)
            walk.append(name)
            name = next(each for each in left[name] if each in left)
        if name in walk:
            found.append(walk[walk.index(name) :])
    return found
