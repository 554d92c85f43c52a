"""What holds for every pipeline: generated ones are played with every kind of outcome, in any order."""

import random
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.pipeline import ForEachStep, PipelineSpec
from orchestrator.domain.pipeline_machine import ActionKind, actions
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import FINAL, StepStatus
from orchestrator.pipelines.loader import parse_pipeline
from orchestrator.pipelines.validation import plan_of
from orchestrator.pipelines.writer import as_yaml
from tests.unit.pipelines.machine import Play

MAX_STEPS = 12


class Builder:
    """Builds a valid pipeline from drawn decisions: steps read what steps before them give."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._names = count()
        self._left = MAX_STEPS

    def pipeline(self) -> PipelineSpec:
        steps = self._steps([], 4)
        return PipelineSpec.model_validate({"name": "p", "inputs": {"topic": {}}, "steps": steps})

    def _steps(self, seen: list[str], most: int) -> list[dict[str, Any]]:
        """Steps beside each other; what they give is added to `seen`."""
        found = []
        for _ in range(self._draw.randint(1, most)):
            self._left -= 1
            found.append(self._step(seen))
            if self._left <= 0:
                break
        return found

    def _step(self, seen: list[str]) -> dict[str, Any]:
        name = f"s{next(self._names)}"
        holders = () if self._left < 3 else ("conditional", "parallel_group", "for_each")
        kind = self._draw.choice(["llm", "transform", *holders])
        read = self._draw.sample(seen, min(len(seen), self._draw.randint(0, 2)))
        step: dict[str, Any] = {"name": name, "step_type": kind}
        if kind == "conditional" or self._draw.random() < 0.3:
            step["condition"] = f"key_exists:{self._draw.choice([*seen, 'topic'])}"
        if kind == "llm":
            step |= {"model": "m", "prompt": " ".join(["about {topic}", *(f"{{{each}}}" for each in read)])}
        elif kind == "transform":
            tolerant = self._draw.random() < 0.3
            step["expression"] = f"coalesce({', '.join([*read, 'topic'])})" if tolerant else f"[{', '.join(read)}]"
        elif kind == "for_each":
            step |= {"items": f"[{', '.join(read)}]", "item_var": f"{name}_item"}
            step["concurrency"] = self._draw.randint(1, 3)
            step["sub_steps"] = self._steps([*seen, f"{name}_item"], 2)
        else:
            inner = list(seen)
            step["sub_steps"] = self._steps(inner, 3)
            seen += [each for each in inner if each not in seen]
        seen.append(f"{name}_output")
        return step


class Watched(Play):
    """Checks at every step what must hold there."""

    def __init__(self, plan: PipelinePlan, seed: int, *, failing: bool) -> None:
        draw = random.Random(seed)
        steps = plan.steps.values()
        self.draw = random.Random(draw.random())
        super().__init__(
            plan,
            holds={step.name: draw.random() < 0.7 for step in steps},
            counts={step.name: draw.randint(0, 4) for step in steps},
            pick=self.draw.choice,
        )
        self._failing = failing

    def step(self) -> None:
        found = actions(self.plan, self.state)
        assert len({action.instance for action in found}) == len(found)
        for action in found:
            self._may_be_done(action.instance)
        self._elements()
        if self._failing and self.draw.random() < 0.1:
            self._fails = {action.instance: "no answer" for action in found}
        super().step()

    def _may_be_done(self, instance: str) -> None:
        prefix = instance.rpartition("/")[0]
        for name in self.plan.node_of(instance).after:
            before = f"{prefix}/{name}" if prefix else name
            assert self.state.status(before) in FINAL, f"{instance} before {before}"
        for variable in self.plan.node_of(instance).uses.needs:
            producer = self.plan.producers.get(variable)
            if producer is not None:
                seen = self.plan.seen_from(instance, producer)
                assert seen is not None
                assert self.state.steps[seen].output is not None

    def _elements(self) -> None:
        for instance, state in self.state.steps.items():
            step = self.plan.step_of(instance)
            if isinstance(step, ForEachStep):
                assert len(state.active) <= step.concurrency
                assert state.begun <= state.count


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
@settings(max_examples=150)
def test_every_run_comes_to_an_end_and_does_everything_once(seed: int, outcome: int, failing: bool) -> None:
    plan = plan_of(Builder(seed).pipeline())
    play = Watched(plan, outcome, failing=failing)
    state = play.finish()
    assert len(play.done) == len(set(play.done))
    assert all(state.status(step.name) in FINAL for step in plan.spec.steps)
    if not state.failed:
        assert not any(each.status in (StepStatus.FAILED, StepStatus.CANCELLED) for each in state.steps.values())
        assert not any("[" in instance for instance in state.steps), "elements are dropped with their list"


@given(st.integers(0, 10**9), st.integers(0, 10**9))
@settings(max_examples=100)
def test_the_order_of_outcomes_changes_nothing(seed: int, outcome: int) -> None:
    plan = plan_of(Builder(seed).pipeline())
    ends = []
    for order in range(3):
        play = Watched(plan, outcome, failing=False)
        play.draw.seed(order)
        state = play.finish()
        ends.append((sorted(play.done), {name: (each.status, each.output) for name, each in state.steps.items()}))
    assert ends[0] == ends[1] == ends[2]


@given(st.integers(0, 10**9))
@settings(max_examples=100)
def test_every_pipeline_reads_back_from_yaml(seed: int) -> None:
    spec = Builder(seed).pipeline()
    assert parse_pipeline(as_yaml(spec)) == spec
    assert PipelinePlan.model_validate_json(plan_of(spec).model_dump_json()) == plan_of(spec)


def test_the_generator_leads_to_every_kind_of_action() -> None:
    met: set[str] = set()
    for seed in range(60):
        play = Watched(plan_of(Builder(seed).pipeline()), seed, failing=False)
        play.finish()
        met |= {each.split()[0] for each in play.done}
    assert met == {kind.value for kind in ActionKind}
