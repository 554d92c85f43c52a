"""Everything in a pipeline's run that follows by itself: steps that begin, are skipped, or end with those they hold."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.pipeline import ConditionalStep, ForEachStep, ParallelGroup, Step
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import DONE, Phase, PipelineState, StepState, StepStatus
from orchestrator.domain.refs import BlobRef


def advanced(plan: PipelinePlan, state: PipelineState, now_s: float) -> PipelineState:
    """The state once nothing more follows by itself. After a failure nothing does."""
    if state.failed:
        return state
    return _Advance(plan, state, now_s).result()


def first_phase(step: Step) -> Phase:
    """What a step does once its condition holds."""
    if isinstance(step, ForEachStep):
        return Phase.EXPAND
    return Phase.BODY if isinstance(step, ConditionalStep | ParallelGroup) else Phase.PERFORM


def last_output(states: Mapping[str, StepState], prefix: str, names: Sequence[str]) -> BlobRef | None:
    """The output of the last of these steps that has one."""
    for name in reversed(names):
        found = states.get(prefix + name)
        if found is not None and found.output is not None:
            return found.output
    return None


class _Advance:
    """One pass over a state, on a copy of its steps."""

    def __init__(self, plan: PipelinePlan, state: PipelineState, now_s: float) -> None:
        self._plan = plan
        self._state = state
        self._now_s = now_s
        self._steps = dict(state.steps)

    def result(self) -> PipelineState:
        self._scope("", self._plan.spec.steps)
        return self._state.model_copy(update={"steps": self._steps})

    def _scope(self, prefix: str, steps: Sequence[Step]) -> bool:
        """Advance steps that stand beside each other; True once all of them are done."""
        moved = True
        while moved:
            moved = False
            for step in steps:
                moved = self._step(prefix, step) or moved
        return all(self._is_done(prefix + step.name) for step in steps)

    def _step(self, prefix: str, step: Step) -> bool:
        """Advance one step; True if it is done now and was not before."""
        instance = prefix + step.name
        known = self._steps.get(instance)
        if known is None:
            if not all(self._is_done(prefix + name) for name in self._plan.nodes[step.name].after):
                return False
            self._begin(instance, step)
        elif known.status is not StepStatus.RUNNING:
            return False
        if self._steps[instance].phase is Phase.BODY and self._steps[instance].status is StepStatus.RUNNING:
            self._body(instance, step)
        return self._is_done(instance)

    def _is_done(self, instance: str) -> bool:
        found = self._steps.get(instance)
        return found is not None and found.status in DONE

    def _begin(self, instance: str, step: Step) -> None:
        absent = self._absent_need(instance)
        if absent:
            self._steps[instance] = StepState(
                status=StepStatus.SKIPPED,
                started_s=self._now_s,
                ended_s=self._now_s,
                reason=f"needs '{absent}', which no step has given",
            )
            return
        phase = Phase.TEST if step.condition else first_phase(step)
        self._steps[instance] = StepState(phase=phase, started_s=self._now_s)

    def _absent_need(self, instance: str) -> str:
        """A variable that the step cannot do without and that a skipped step should have given."""
        for variable in self._plan.node_of(instance).uses.needs:
            producer = self._plan.producers.get(variable)
            if producer is None:
                continue
            seen = self._plan.seen_from(instance, producer)
            found = self._steps.get(seen) if seen else None
            if found is None or found.output is None:
                return variable
        return ""

    def _body(self, instance: str, step: Step) -> None:
        if isinstance(step, ForEachStep):
            self._elements(instance, step)
        elif self._scope(f"{instance}/", step.children):
            if isinstance(step, ParallelGroup):
                self._update(instance, {"phase": Phase.ASSEMBLE})
            else:
                output = last_output(self._steps, f"{instance}/", [each.name for each in step.children])
                self._update(instance, {"status": StepStatus.COMPLETED, "output": output, "ended_s": self._now_s})

    def _elements(self, instance: str, step: ForEachStep) -> None:
        """Let elements go on, and begin further ones as soon as there is room."""
        known = self._steps[instance]
        active = [index for index in known.active if not self._scope(f"{instance}[{index}]/", step.children)]
        begun = known.begun
        while len(active) < step.concurrency and begun < known.count:
            if not self._scope(f"{instance}[{begun}]/", step.children):
                active.append(begun)
            begun += 1
        over = not active and begun == known.count
        phase = Phase.ASSEMBLE if over else Phase.BODY
        self._update(instance, {"begun": begun, "active": tuple(active), "phase": phase})

    def _update(self, instance: str, update: dict[str, object]) -> None:
        self._steps[instance] = self._steps[instance].model_copy(update=update)
