"""What every part of a pipeline's run shares: its memory, its variables, its models."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import CallResult
    from orchestrator.contracts.pipeline import (
        MOCK_VENDOR,
        PipelineMemory,
        PipelineRunSpec,
        Prepared,
        StepFacts,
        StepInput,
        StepOutcome,
    )
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.pipeline_machine import failed
    from orchestrator.domain.pipeline_plan import PipelinePlan, step_name
    from orchestrator.domain.pipeline_state import Bound, PipelineState, needed
    from orchestrator.domain.refs import BlobRef

from workflows.calling import CallContext

_MAX_NOTES = 20
_LITERAL_BYTES = 20  # a position in a list


def label(instance: str) -> str:
    """An instance as it stands in keys, events and summaries: no slash, which parts the pieces of a key."""
    return instance.replace("/", ".")


class PipelineContext(CallContext):
    """One run's memory and the rules of when something may start."""

    spec: PipelineRunSpec
    state: PipelineMemory

    def __init__(self, spec: PipelineRunSpec, state: PipelineMemory) -> None:
        super().__init__(spec.run_id)
        self.spec = spec
        self.state = state

    @property
    def plan(self) -> PipelinePlan:
        return self.spec.plan

    @property
    def prepared(self) -> Prepared:
        """What is in the store; only once the run is prepared."""
        assert self.state.prepared is not None
        return self.state.prepared

    @property
    def must_stop(self) -> bool:
        """True once nothing new may begin in this execution: so it is, too, after a step has failed."""
        return super().must_stop or bool(self.state.progress.failed)

    def clock_s(self) -> float:
        """The time that steps are measured in: workflow time without pauses."""
        return self.state.clock.started_s + self.active_s()

    def advance(self, progress: PipelineState) -> None:
        """Take over the core's word; each change of a status is an event."""
        old = self.state.progress
        self.state.progress = progress
        for instance, each in progress.steps.items():
            before = old.steps.get(instance)
            if before is each or (before is not None and before.status is each.status):
                continue
            detail = f": {each.reason}" if each.reason else ""
            self.emit(f"task_{each.status.value.lower()}", f"{each.status.value}{detail}", label(instance))

    def fail(self, instance: str, reason: str) -> None:
        """The step failed for good: nothing new begins."""
        self.advance(failed(self.plan, self.state.progress, instance, reason, self.clock_s()))
        self.revision += 1

    def account(self, task_id: str) -> str:
        """All instances of a step are booked under its name."""
        return task_id.rpartition(".")[2].partition("[")[0]

    def cancel_below(self, holder: str) -> None:
        """Cancel what a step that holds others has in flight; `holder` is the label of its instance."""
        for owner in list(self.doing):
            if owner.startswith((f"{holder}.", f"{holder}[")):
                self.cancel_in_flight(owner)

    # Variables

    def values(self, instance: str) -> dict[str, Bound]:
        """The variables that an instance reads."""
        return needed(self.plan, self.state.progress, instance)

    def sizes(self, values: dict[str, Bound]) -> dict[str, int]:
        """About how many bytes each variable's text has; of an element of a list, twice its fair share."""
        counts = {each.items: each.count for each in self.state.progress.steps.values() if each.items}
        return {name: _size(bound, counts) for name, bound in values.items()}

    def step_input(self, instance: str) -> StepInput:
        """What an activity needs to compute something for an instance."""
        return StepInput(pipeline=self.prepared.pipeline, step=step_name(instance), values=self.values(instance))

    # Models

    def vendors(self) -> tuple[str, ...]:
        """Vendors that the worker can speak to."""
        return self.state.prepared.vendors if self.state.prepared else ()

    def simulated(self) -> bool:
        """True if no real model does the work."""
        models = self.models()
        return bool(models) and models[0].simulated

    def ranking(self, step: str) -> tuple[ModelSpec, ...]:
        """The step's own model and its fallbacks, those that can be asked; without any key, simulated ones for them.

        Where there is a key, a pipeline that names only models of other vendors fails: nobody asked for a simulation.
        """
        pretended = {MOCK_VENDOR, *(model.vendor for model in self.spec.models if model.simulated)}
        chosen = self.spec.choices[step]
        usable = {model.id: model for model in self.models()}
        own = tuple(usable[name] for name in chosen if name in usable)
        keyless = self.simulated() and set(self.vendors()) <= pretended
        return own or (tuple(usable.values())[: len(chosen)] if keyless else ())

    # Facts

    def learn(self, step: str, result: CallResult) -> None:
        """What a request tells about its step."""
        old = self.state.facts.get(step, StepFacts())
        usage = result.usage
        update: dict[str, object] = {
            "model": result.model,
            "attempts": old.attempts + 1,
            "latency_ms": old.latency_ms + result.latency_ms,
            "input_tokens": old.input_tokens + (usage.input_tokens if usage else 0),
            "output_tokens": old.output_tokens + (usage.output_tokens if usage else 0),
            "prompt_preview": result.prompt_preview or old.prompt_preview,
            "prompt": result.prompt or old.prompt,
            "notes": tuple(dict.fromkeys((*old.notes, *result.notes)))[:_MAX_NOTES],
        }
        if result.value is not None:
            update["output_preview"] = result.preview
        self.state.facts[step] = old.model_copy(update=update)

    def learn_computed(self, step: str, outcome: StepOutcome) -> None:
        """What a computation tells about its step."""
        old = self.state.facts.get(step, StepFacts())
        self.state.facts[step] = old.model_copy(
            update={
                "attempts": old.attempts + 1,
                "latency_ms": old.latency_ms + outcome.latency_ms,
                "output_preview": outcome.preview or old.output_preview,
            }
        )


def _size(bound: Bound, counts: dict[BlobRef, int]) -> int:
    if bound.ref is None:
        return _LITERAL_BYTES
    if bound.index is None:
        return bound.ref.size
    share = 2 * bound.ref.size // max(1, counts.get(bound.ref, 1))
    return min(bound.ref.size, share + _LITERAL_BYTES)
