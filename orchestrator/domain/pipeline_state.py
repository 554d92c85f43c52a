"""Progress of a pipeline's run as data: what is known of each instance of a step. Times are in seconds."""

from enum import StrEnum

from pydantic import JsonValue

from orchestrator.domain.base import Frozen
from orchestrator.domain.pipeline import ForEachStep
from orchestrator.domain.pipeline_plan import PipelinePlan, holder_of
from orchestrator.domain.refs import BlobRef


class StepStatus(StrEnum):
    """Status of a step; the last four are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"  # its condition does not hold, or it needs the output of a step that was skipped
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"  # the run ended before it was done


DONE = frozenset((StepStatus.COMPLETED, StepStatus.SKIPPED))
FINAL = frozenset((*DONE, StepStatus.FAILED, StepStatus.CANCELLED))


class Phase(StrEnum):
    """What a running step does."""

    TEST = "test"  # its condition is evaluated
    EXPAND = "expand"  # the elements of a for_each are counted
    PERFORM = "perform"  # a model is asked, a transform computed
    BODY = "body"  # the steps that it holds run
    ASSEMBLE = "assemble"  # what they gave becomes one value


class Bound(Frozen):
    """A variable's value: that of a reference (the UTF-8 of its JSON), one element of the list there, or given here."""

    ref: BlobRef | None = None
    index: int | None = None
    literal: JsonValue = None


class StepState(Frozen):
    """One instance of a step. Of a for_each: the list at `items` has `count` elements, `begun` of which have begun."""

    status: StepStatus = StepStatus.RUNNING
    phase: Phase = Phase.PERFORM
    started_s: float = 0.0
    ended_s: float = 0.0
    output: BlobRef | None = None
    items: BlobRef | None = None
    count: int = 0
    begun: int = 0
    active: tuple[int, ...] = ()  # positions of elements that have begun and are not done
    reason: str = ""


class PipelineState(Frozen):
    """All progress of a run. Steps that have not begun have no entry; those within a for_each lose theirs with its end.

    `failed`: the first instance that failed, after which nothing new starts.
    """

    inputs: dict[str, BlobRef] = {}
    steps: dict[str, StepState] = {}
    failed: str = ""
    reason: str = ""

    def status(self, instance: str) -> StepStatus:
        """The status of an instance; one within a skipped step is skipped."""
        state = self.steps.get(instance)
        if state is not None:
            return state.status
        holder = holder_of(instance)
        if holder and self.status(holder) in (StepStatus.SKIPPED, StepStatus.CANCELLED):
            return self.status(holder)
        return StepStatus.PENDING


def output_of(plan: PipelinePlan, state: PipelineState, instance: str, variable: str) -> BlobRef | None:
    """What a step gave to `variable` as `instance` sees it; None where it gave nothing (yet)."""
    producer = plan.producers.get(variable)
    seen = plan.seen_from(instance, producer) if producer else None
    found = state.steps.get(seen) if seen else None
    return found.output if found else None


def needed(plan: PipelinePlan, state: PipelineState, instance: str) -> dict[str, Bound]:
    """The variables that a step reads, under the names that it reads them by. What no step gave is left out."""
    step, uses = plan.step_of(instance), plan.node_of(instance).uses
    loops = _loop_variables(plan, state, instance)
    every = (*state.inputs, *plan.producers, *loops) if uses.everything else ()
    found: dict[str, Bound] = {}
    for name in (*every, *uses.needs, *uses.may_use, *step.input_mapping.values()):
        ref = state.inputs.get(name) or output_of(plan, state, instance, name)
        if name in loops:
            found[name] = loops[name]
        elif ref is not None:
            found[name] = Bound(ref=ref)
    mapped = {inner: found[outer] for inner, outer in step.input_mapping.items() if outer in found}
    return found | mapped


def _loop_variables(plan: PipelinePlan, state: PipelineState, instance: str) -> dict[str, Bound]:
    found: dict[str, Bound] = {}
    parts = instance.split("/")
    for depth, part in enumerate(parts[:-1]):
        name, bracket, rest = part.partition("[")
        if not bracket:
            continue
        loop = plan.steps[name]
        assert isinstance(loop, ForEachStep)
        index = int(rest.rstrip("]"))
        holder = state.steps["/".join((*parts[:depth], name))]
        found[loop.item_var] = Bound(ref=holder.items, index=index)
        found[loop.index_var] = Bound(literal=index)
    return found
