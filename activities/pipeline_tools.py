"""Activities of pipelines that ask no model: conditions, lists, transforms, and what a run leaves behind."""

import asyncio
import time
from collections.abc import Callable, Sequence

from pydantic import JsonValue
from temporalio import activity

from activities.pipeline_values import PipelineValues
from activities.polled import polled_vendors
from activities.run_telemetry import tell_pipeline
from orchestrator.artifacts.publish import joined_log, run_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts import names
from orchestrator.contracts.pipeline import (
    PREVIEW_CHARS,
    AssembleInput,
    Prepared,
    PrepareRun,
    PublishedRun,
    PublishRun,
    StepInput,
    StepOutcome,
)
from orchestrator.domain.pipeline import ForEachStep, TransformStep
from orchestrator.domain.text import one_line
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.evaluation import holds
from orchestrator.pipelines.functions import text_of
from orchestrator.pipelines.transforms import transformed
from orchestrator.pipelines.values import assembled, elements
from orchestrator.telemetry.telemetry import SILENT, Telemetry


class PipelineToolActivities:
    """Implementations over one store; `vendors` are those that this process asks."""

    def __init__(self, store: ArtifactStore, vendors: Sequence[str], telemetry: Telemetry = SILENT) -> None:
        self._store = store
        self._telemetry = telemetry
        self._values = PipelineValues(store)
        self._vendors = tuple(vendors)

    @activity.defn(name=names.ACTIVITY_PIPELINE_PREPARE)
    async def prepare(self, request: PrepareRun) -> Prepared:
        """Put the pipeline and its inputs into the store, and say what workers can ask."""
        pipeline = await self._store.put(request.plan.spec.model_dump_json().encode())
        inputs = {name: await self._values.keep(value) for name, value in request.inputs.items()}
        vendors = await polled_vendors(request.queues, self._vendors) if request.queues else self._vendors
        return Prepared(pipeline=pipeline, inputs=inputs, vendors=vendors)

    @activity.defn(name=names.ACTIVITY_PIPELINE_TEST)
    async def test(self, request: StepInput) -> StepOutcome:
        """Evaluate a step's condition."""
        step = await self._values.step(request.pipeline, request.step)
        values = await self._values.read(request.values)
        try:
            return StepOutcome(holds=await asyncio.to_thread(holds, step.condition, values))
        except StepError as error:
            return StepOutcome(error=one_line(str(error)))

    @activity.defn(name=names.ACTIVITY_PIPELINE_EXPAND)
    async def expand(self, request: StepInput) -> StepOutcome:
        """Make the list that a for_each goes through."""
        step = await self._values.step(request.pipeline, request.step)
        assert isinstance(step, ForEachStep)
        values = await self._values.read(request.values)
        try:
            found = await asyncio.to_thread(elements, step, values)
            return StepOutcome(value=await self._values.keep(found), count=len(found))
        except StepError as error:
            return StepOutcome(error=one_line(str(error)))

    @activity.defn(name=names.ACTIVITY_PIPELINE_TRANSFORM)
    async def transform(self, request: StepInput) -> StepOutcome:
        """Compute a transform."""
        step = await self._values.step(request.pipeline, request.step)
        assert isinstance(step, TransformStep)
        values = await self._values.read(request.values)
        return await self._in_time(lambda: transformed(step, values), step.timeout_seconds)

    @activity.defn(name=names.ACTIVITY_PIPELINE_ASSEMBLE)
    async def assemble(self, request: AssembleInput) -> StepOutcome:
        """Make one value of several."""
        parts = {name: await self._values.of(ref) for name, ref in request.parts.items()}
        return await self._kept(assembled(parts, as_list=request.as_list))

    @activity.defn(name=names.ACTIVITY_PIPELINE_PUBLISH)
    async def publish(self, request: PublishRun) -> PublishedRun:
        """Keep how the run ended, and its logs as JSONL."""
        published = PublishedRun(
            events=await joined_log(self._store, request.events),
            records=await joined_log(self._store, request.calls),
        )
        name = run_name(request.namespace, request.run_id, "input.json")
        await self._store.write_named(name, request.input_json.encode())
        await tell_pipeline(self._telemetry, self._store, request, published.events)
        return published

    async def _in_time(self, compute: Callable[[], JsonValue], limit_s: float | None) -> StepOutcome:
        """The outcome of a computation, given up after its time. It runs beside the loop, which must go on."""
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                value = await asyncio.to_thread(compute)
        except TimeoutError:
            outcome = StepOutcome(error=f"not done within {limit_s:g} s", timed_out=True)
        except StepError as error:
            outcome = StepOutcome(error=one_line(str(error)))
        else:
            outcome = await self._kept(value)
        return outcome.model_copy(update={"latency_ms": round((time.monotonic() - began_s) * 1000)})

    async def _kept(self, value: JsonValue) -> StepOutcome:
        try:
            return StepOutcome(value=await self._values.keep(value), preview=one_line(text_of(value), PREVIEW_CHARS))
        except StepError as error:
            return StepOutcome(error=one_line(str(error)))
