"""The step machine of a pipeline: what is to be done now, and what each outcome changes.

The driver asks `actions`, does each of them once, and gives every outcome back. All functions are pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.pipeline import ForEachStep, LlmStep, Step
from orchestrator.domain.pipeline_advance import advanced, first_phase, last_output
from orchestrator.domain.pipeline_plan import PipelinePlan, holder_of, step_name
from orchestrator.domain.pipeline_state import FINAL, Phase, PipelineState, StepState, StepStatus
from orchestrator.domain.refs import BlobRef


class ActionKind(StrEnum):
    """What the driver is asked to do."""

    TEST = "test"  # evaluate the condition, then `tested`
    EXPAND = "expand"  # evaluate and keep the list of a for_each, then `expanded`
    ASK = "ask"  # ask a model, then `completed`
    COMPUTE = "compute"  # compute a transform, then `completed`
    ASSEMBLE = "assemble"  # make one value of the outputs in `parts`, then `completed`


class Action(Frozen):
    """Something to do for one instance. `parts` of ASSEMBLE: step name, or position, to output; None is null.

    `as_list`: the parts are the elements of a list, in order; else they are the entries of an object.
    """

    kind: ActionKind
    instance: str
    parts: dict[str, BlobRef | None] = {}
    as_list: bool = False


def start(plan: PipelinePlan, inputs: Mapping[str, BlobRef], now_s: float) -> PipelineState:
    """A run begins. `inputs` are all inputs of the pipeline, defaults included."""
    return advanced(plan, PipelineState(inputs=dict(inputs)), now_s)


def actions(plan: PipelinePlan, state: PipelineState) -> tuple[Action, ...]:
    """All that is to be done now, what is being done included, in the order of the file; empty once a step has failed.

    After a failure the driver lets what it has begun finish, and then calls `stopped`.
    """
    if state.failed:
        return ()
    return tuple(_action(plan, state, instance) for instance in _at_work(plan, state, "", plan.spec.steps))


def tested(plan: PipelinePlan, state: PipelineState, instance: str, holds: bool, now_s: float) -> PipelineState:
    """The condition was evaluated."""
    if not holds:
        update: dict[str, object] = {"status": StepStatus.SKIPPED, "reason": "its condition does not hold"}
        return advanced(plan, _changed(state, instance, {**update, "ended_s": now_s}), now_s)
    return advanced(plan, _changed(state, instance, {"phase": first_phase(plan.step_of(instance))}), now_s)


def expanded(
    plan: PipelinePlan, state: PipelineState, instance: str, items: BlobRef, count: int, now_s: float
) -> PipelineState:
    """The list of a for_each has `count` elements and is kept at `items`."""
    update = {"items": items, "count": count, "phase": Phase.BODY}
    return advanced(plan, _changed(state, instance, update), now_s)


def completed(plan: PipelinePlan, state: PipelineState, instance: str, output: BlobRef, now_s: float) -> PipelineState:
    """An ASK, a COMPUTE or an ASSEMBLE gave `output`."""
    update = {"status": StepStatus.COMPLETED, "output": output, "ended_s": now_s}
    changed = _changed(state, instance, update)
    if isinstance(plan.step_of(instance), ForEachStep):
        inside = f"{instance}["
        kept = {name: each for name, each in changed.steps.items() if not name.startswith(inside)}
        changed = changed.model_copy(update={"steps": kept})
    return advanced(plan, changed, now_s)


def failed(plan: PipelinePlan, state: PipelineState, instance: str, reason: str, now_s: float) -> PipelineState:
    """The step failed for good, and with it those that hold it. Nothing new starts."""
    changed = state
    at, why = instance, reason
    while at and changed.status(at) not in FINAL:
        update = {"status": StepStatus.FAILED, "reason": why[:200], "ended_s": now_s}
        changed = _changed(changed, at, update)
        at, why = holder_of(at), f"Sub-step '{step_name(at)}' failed: {why}"
    if changed.failed:
        return changed
    return changed.model_copy(update={"failed": instance, "reason": f"Step '{step_name(instance)}' failed: {reason}"})


def stopped(plan: PipelinePlan, state: PipelineState, now_s: float) -> PipelineState:
    """The run is over: what was begun and is not done, and what was never begun at the top, is cancelled."""
    update = {"status": StepStatus.CANCELLED, "reason": "the run ended before it was done", "ended_s": now_s}
    steps = {
        instance: each.model_copy(update=update) if each.status not in FINAL else each
        for instance, each in state.steps.items()
    }
    never = StepState(status=StepStatus.CANCELLED, reason="the run ended before it began", ended_s=now_s)
    missing = {step.name: never for step in plan.spec.steps if step.name not in steps}
    return state.model_copy(update={"steps": {**steps, **missing}})


def is_over(plan: PipelinePlan, state: PipelineState) -> bool:
    """True once every step has a final status, or one has failed: then the driver calls `stopped`."""
    return bool(state.failed) or all(state.status(step.name) in FINAL for step in plan.spec.steps)


def next_deadline_s(plan: PipelinePlan, state: PipelineState) -> float | None:
    """When the first of the steps that hold others runs out of time."""
    return min((at_s for _, at_s in _deadlines(plan, state)), default=None)


def expired(plan: PipelinePlan, state: PipelineState, now_s: float) -> PipelineState:
    """Steps that hold others and are out of time fail."""
    for instance, at_s in _deadlines(plan, state):
        if at_s <= now_s:
            limit_s = plan.step_of(instance).timeout_seconds
            state = failed(plan, state, instance, f"not done within {limit_s:g} s", now_s)
    return state


def final_output(plan: PipelinePlan, state: PipelineState) -> BlobRef | None:
    """The output of the last step in the file that completed; None where the run failed or no step completed."""
    return None if state.failed else last_output(state.steps, "", [step.name for step in plan.spec.steps])


def _at_work(plan: PipelinePlan, state: PipelineState, prefix: str, steps: Sequence[Step]) -> Iterator[str]:
    """Running instances that wait for the driver."""
    for step in steps:
        instance = prefix + step.name
        found = state.steps.get(instance)
        if found is None or found.status is not StepStatus.RUNNING:
            continue
        if found.phase is not Phase.BODY:
            yield instance
        elif isinstance(step, ForEachStep):
            for index in found.active:
                yield from _at_work(plan, state, f"{instance}[{index}]/", step.children)
        else:
            yield from _at_work(plan, state, f"{instance}/", step.children)


def _changed(state: PipelineState, instance: str, update: Mapping[str, object]) -> PipelineState:
    changed = state.steps[instance].model_copy(update=dict(update))
    return state.model_copy(update={"steps": {**state.steps, instance: changed}})


def _deadlines(plan: PipelinePlan, state: PipelineState) -> list[tuple[str, float]]:
    return [
        (instance, each.started_s + limit_s)
        for instance, each in state.steps.items()
        if each.status is StepStatus.RUNNING
        and (step := plan.step_of(instance)).children
        and (limit_s := step.timeout_seconds) is not None
    ]


def _action(plan: PipelinePlan, state: PipelineState, instance: str) -> Action:
    step = plan.step_of(instance)
    match state.steps[instance].phase:
        case Phase.TEST:
            return Action(kind=ActionKind.TEST, instance=instance)
        case Phase.EXPAND:
            return Action(kind=ActionKind.EXPAND, instance=instance)
        case Phase.ASSEMBLE if isinstance(step, ForEachStep):
            names = [each.name for each in step.children]
            prefixes = (f"{instance}[{index}]/" for index in range(state.steps[instance].count))
            parts = {str(at): last_output(state.steps, prefix, names) for at, prefix in enumerate(prefixes)}
            return Action(kind=ActionKind.ASSEMBLE, instance=instance, parts=parts, as_list=True)
        case Phase.ASSEMBLE:
            outputs = {each.name: state.steps[f"{instance}/{each.name}"].output for each in step.children}
            given: dict[str, BlobRef | None] = {name: output for name, output in outputs.items() if output}
            return Action(kind=ActionKind.ASSEMBLE, instance=instance, parts=given)
        case _:
            kind = ActionKind.ASK if isinstance(step, LlmStep) else ActionKind.COMPUTE
            return Action(kind=kind, instance=instance)
