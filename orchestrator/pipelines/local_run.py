"""One run of a pipeline in this process: does what the step machine asks for, and gives it every outcome back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from orchestrator.domain.errors import FailureKind
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.pipeline import ForEachStep, LlmStep, TransformStep
from orchestrator.domain.pipeline_attempts import transform_delay_s
from orchestrator.domain.pipeline_machine import (
    Action,
    ActionKind,
    actions,
    completed,
    expanded,
    expired,
    failed,
    final_output,
    next_deadline_s,
    start,
    stopped,
    tested,
)
from orchestrator.domain.pipeline_outcome import pipeline_ending
from orchestrator.domain.pipeline_plan import PipelinePlan, step_name
from orchestrator.domain.pipeline_state import FINAL, PipelineState, StepState, StepStatus, needed
from orchestrator.domain.refs import BlobRef, blob_ref
from orchestrator.domain.text import one_line
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.evaluation import holds
from orchestrator.pipelines.local_calls import CallsStopped, Facts, LocalCalls, Refused
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.pipelines.results import PipelineResult, StepResult
from orchestrator.pipelines.steps import PipelineStep
from orchestrator.pipelines.threads import in_thread
from orchestrator.pipelines.transforms import transformed
from orchestrator.pipelines.values import assembled, decode, element, elements, encode

OnStepStart = Callable[[PipelineStep], object]
OnStepEnd = Callable[[PipelineStep, StepResult], object]


@dataclass
class Watching:
    """What the user wants to be told, and the clock (seconds, monotonic) that tests replace."""

    on_step_start: OnStepStart | None = None
    on_step_end: OnStepEnd | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass
class _Values:
    """Values by the reference that a store would give them."""

    known: dict[str, JsonValue] = field(default_factory=dict)

    def keep(self, value: JsonValue) -> BlobRef:
        data = encode(value)
        ref = blob_ref(data)
        if ref.sha256 not in self.known:
            self.known[ref.sha256] = decode(data)
        return ref

    def of(self, ref: BlobRef | None) -> JsonValue:
        return None if ref is None else self.known[ref.sha256]


class LocalRun:
    """A run of `pipeline`, whose plan is `plan`, with these inputs, which are complete. It can be run once."""

    def __init__(
        self,
        pipeline: Pipeline,
        plan: PipelinePlan,
        inputs: Mapping[str, JsonValue],
        calls: LocalCalls,
        watching: Watching,
    ) -> None:
        self._pipeline = pipeline
        self._functions = pipeline.functions
        self._plan = plan
        self._calls = calls
        self._watching = watching
        self._values = _Values()
        self._inputs = {name: self._values.keep(value) for name, value in inputs.items()}
        self._state = PipelineState()
        self._facts: dict[str, Facts] = {}
        self._results: dict[str, StepResult] = {}
        self._begun: set[str] = set()
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._exhausted = self._timed_out = False
        self._epoch_s = 0.0

    async def run(self) -> PipelineResult:
        """Until every step has a final status, or one has failed; what was begun is finished first."""
        began_s = self._watching.clock()
        self._epoch_s = time.time() - began_s
        self._advance(start(self._plan, self._inputs, began_s))
        try:
            await self._drive()
        finally:
            for job in self._jobs.values():
                job.cancel()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        self._advance(stopped(self._plan, self._state, self._watching.clock()))
        return self._result(began_s)

    async def _drive(self) -> None:
        while True:
            for action in actions(self._plan, self._state):
                if action.instance not in self._jobs:
                    self._jobs[action.instance] = asyncio.create_task(self._perform(action), name=action.instance)
            if not self._jobs:
                return
            deadline_s = None if self._state.failed else next_deadline_s(self._plan, self._state)
            left_s = None if deadline_s is None else max(0.0, deadline_s - self._watching.clock())
            await asyncio.wait(self._jobs.values(), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for instance in [instance for instance, job in self._jobs.items() if job.done()]:
                self._jobs.pop(instance).result()
            self._expire()

    def _expire(self) -> None:
        """Groups that are out of time fail, and what they have under way is cancelled."""
        if self._state.failed:
            return
        after = expired(self._plan, self._state, self._watching.clock())
        if not after.failed:
            return
        self._timed_out = True
        self._advance(after)
        for instance, job in self._jobs.items():
            if instance.startswith((f"{after.failed}/", f"{after.failed}[")):
                job.cancel()

    async def _perform(self, action: Action) -> None:
        try:
            await self._do(action)
        except (StepError, Refused) as error:
            self._exhausted = self._exhausted or getattr(error, "exhausted", False)
            self._timed_out = self._timed_out or getattr(error, "timed_out", False)
            now_s = self._watching.clock()
            self._advance(failed(self._plan, self._state, action.instance, one_line(str(error)), now_s))
        except CallsStopped:
            return
        except asyncio.CancelledError:
            if not self._state.failed:
                raise

    async def _do(self, action: Action) -> None:
        instance, step = action.instance, self._plan.step_of(action.instance)
        values = self._seen_by(instance)
        match action.kind:
            case ActionKind.TEST:
                held = holds(step.condition, values)
                self._advance(tested(self._plan, self._state, instance, held, self._watching.clock()))
            case ActionKind.EXPAND:
                assert isinstance(step, ForEachStep)
                found = elements(step, values)
                items, now_s = self._values.keep(found), self._watching.clock()
                self._advance(expanded(self._plan, self._state, instance, items, len(found), now_s))
            case ActionKind.ASK:
                assert isinstance(step, LlmStep)
                self._complete(instance, await self._calls.answer(instance, step, values, self._facts_of(instance)))
            case ActionKind.COMPUTE:
                assert isinstance(step, TransformStep)
                self._complete(instance, await self._computed(step, values, self._facts_of(instance)))
            case ActionKind.ASSEMBLE:
                parts = {name: self._values.of(ref) for name, ref in action.parts.items()}
                self._complete(instance, assembled(parts, as_list=action.as_list))

    async def _computed(self, step: TransformStep, values: Mapping[str, JsonValue], facts: Facts) -> JsonValue:
        while True:
            facts.attempts += 1
            late = False
            try:
                async with asyncio.timeout(step.timeout_seconds):
                    # Python functions get values of their own: they may change them.
                    given = decode(encode(dict(values))) if step.function else values
                    assert isinstance(given, Mapping)
                    return await in_thread(transformed, step, given, self._functions)
            except TimeoutError:
                late, error = True, StepError(f"not done within {step.timeout_seconds:g} s")
            except StepError as found:
                error = found
            kind = FailureKind.TIMEOUT if late else FailureKind.INVALID
            delay_s = transform_delay_s(step.retry, facts.attempts, kind)
            if delay_s is None or self._state.failed:
                self._timed_out = self._timed_out or late
                raise error
            await self._watching.sleep(delay_s)

    def _seen_by(self, instance: str) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for name, bound in needed(self._plan, self._state, instance).items():
            whole = bound.literal if bound.ref is None else self._values.of(bound.ref)
            found[name] = whole if bound.index is None else element(whole, bound.index)
        return found

    def _facts_of(self, instance: str) -> Facts:
        return self._facts.setdefault(instance, Facts())

    def _complete(self, instance: str, value: JsonValue) -> None:
        output = self._values.keep(value)
        self._advance(completed(self._plan, self._state, instance, output, self._watching.clock()))

    def _advance(self, state: PipelineState) -> None:
        """Take the state over, and tell of every step that it shows to have begun or ended."""
        self._state = state
        if state.failed:
            self._calls.stop()
        for instance, step in state.steps.items():
            if instance not in self._begun and step.status is StepStatus.RUNNING:
                self._begun.add(instance)
                if self._watching.on_step_start is not None:
                    self._watching.on_step_start(self._python_step(instance))
            if step.status in FINAL and instance not in self._results:
                self._results[instance] = result = self._step_result(instance, step)
                if self._watching.on_step_end is not None:
                    self._watching.on_step_end(self._python_step(instance), result)

    def _python_step(self, instance: str) -> PipelineStep:
        step = self._pipeline.get_step(step_name(instance))
        assert step is not None
        return step

    def _step_result(self, instance: str, step: StepState) -> StepResult:
        facts = self._facts.get(instance, Facts())
        broke = step.status is StepStatus.FAILED
        return StepResult(
            step_name=instance,
            status=step.status,
            output=self._values.of(step.output),
            latency_ms=round((step.ended_s - step.started_s) * 1000, 3) if step.started_s else 0.0,
            tokens_used=facts.tokens,
            cost_micro=facts.cost_micro,
            uncertain_micro=facts.uncertain_micro,
            model_used=facts.model,
            attempts=facts.attempts,
            error=step.reason if broke else "",
            input_preview=facts.input_preview,
            started_s=self._epoch_s + (step.started_s or step.ended_s),
            notes=(*facts.notes, *((step.reason,) if step.reason and not broke else ())),
        )

    def _result(self, began_s: float) -> PipelineResult:
        end = pipeline_ending(self._state, None, "", exhausted=self._exhausted, timed_out=self._timed_out)
        outputs = {name: self._values.of(ref) for name, ref in self._state.inputs.items()}
        for key, name in self._plan.producers.items():
            found = self._state.steps.get("/".join((*self._plan.nodes[name].holders, name)))
            if found is not None and found.output is not None:
                outputs[key] = self._values.of(found.output)
        return PipelineResult(
            status=end.status,
            steps_results=tuple(self._results.values()),
            outputs=outputs,
            final_output=self._values.of(final_output(self._plan, self._state)),
            total_latency_ms=round((self._watching.clock() - began_s) * 1000, 3),
            error=end.reason if end.status is not ProjectStatus.SUCCESS else "",
            started_s=self._epoch_s + began_s,
        )
