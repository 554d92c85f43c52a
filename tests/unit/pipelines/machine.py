"""Plays a plan through the step machine, with outcomes that a test chooses."""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.domain.pipeline_machine import (
    Action,
    ActionKind,
    actions,
    completed,
    expanded,
    failed,
    is_over,
    start,
    stopped,
    tested,
)
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import PipelineState
from orchestrator.domain.refs import BlobRef, blob_ref
from orchestrator.pipelines.loader import parse_pipeline
from orchestrator.pipelines.validation import plan_of

Pick = Callable[[tuple[Action, ...]], Action]


def planned(text: str) -> PipelinePlan:
    """The plan of the steps in a YAML text."""
    return plan_of(parse_pipeline(f"name: test\nsteps:\n{text}"))


def llm(name: str, prompt: str, **fields: Any) -> dict[str, Any]:
    return {"step_type": "llm", "name": name, "model": "m", "prompt": prompt, **fields}


def plan_with(*steps: dict[str, Any]) -> PipelinePlan:
    return plan_of(PipelineSpec.model_validate({"name": "test", "steps": steps}))


def ref(text: str) -> BlobRef:
    return blob_ref(text.encode())


class Play:
    """One run. `holds` and `counts` answer by the name of the step, `fails` names instances that fail."""

    def __init__(
        self,
        plan: PipelinePlan,
        *,
        holds: Mapping[str, bool] | None = None,
        counts: Mapping[str, int] | None = None,
        fails: Mapping[str, str] | None = None,
        pick: Pick = lambda found: found[0],
    ) -> None:
        self.plan = plan
        self.done: list[str] = []  # kind and instance of each action, in order
        self.widest = 0  # most actions at a time
        self._holds, self._counts, self._fails = holds or {}, counts or {}, fails or {}
        self._pick = pick
        self.state = start(plan, {name: ref(name) for name in plan.inputs}, 0.0)
        self._time_s = 0.0

    def finish(self) -> PipelineState:
        """Until the run is over."""
        while not is_over(self.plan, self.state):
            self.step()
        self.state = stopped(self.plan, self.state, self._time_s)
        return self.state

    def step(self) -> None:
        """Do one of the actions."""
        found = actions(self.plan, self.state)
        assert found, "the machine stands still"
        self.widest = max(self.widest, len(found))
        self.perform(self._pick(found))
        self.state = PipelineState.model_validate_json(self.state.model_dump_json())

    def perform(self, action: Action) -> None:
        """Do this one."""
        self._time_s += 1.0
        instance, now_s = action.instance, self._time_s
        self.done.append(f"{action.kind.value} {instance}")
        name = instance.rpartition("/")[2]
        if instance in self._fails:
            self.state = failed(self.plan, self.state, instance, self._fails[instance], now_s)
            return
        match action.kind:
            case ActionKind.TEST:
                self.state = tested(self.plan, self.state, instance, self._holds.get(name, True), now_s)
            case ActionKind.EXPAND:
                count = self._counts.get(name, 2)
                self.state = expanded(self.plan, self.state, instance, ref(f"items of {instance}"), count, now_s)
            case _:
                self.state = completed(self.plan, self.state, instance, ref(instance), now_s)

    def statuses(self) -> dict[str, str]:
        """Status of every instance that has one."""
        return {name: step.status.value for name, step in self.state.steps.items()}
