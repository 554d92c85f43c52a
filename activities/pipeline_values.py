"""The variables of a step, read from the store, and its declaration."""

from collections import OrderedDict
from collections.abc import Mapping

from pydantic import JsonValue

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.pipeline import PipelineSpec, Step, all_steps
from orchestrator.domain.pipeline_state import Bound
from orchestrator.domain.refs import BlobRef
from orchestrator.pipelines.values import decode, element, encode

_CACHED_BYTES = 32_000_000
_CACHED_PIPELINES = 16


class PipelineValues:
    """Reads and keeps values of one store. Content never changes under its digest, so what was read is remembered."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._texts: OrderedDict[BlobRef, bytes] = OrderedDict()
        self._held = 0
        self._steps: OrderedDict[BlobRef, dict[str, Step]] = OrderedDict()

    async def step(self, pipeline: BlobRef, name: str) -> Step:
        """A step of a stored pipeline. Raises ArtifactError."""
        if pipeline not in self._steps:
            spec = PipelineSpec.model_validate_json(await self._store.get(pipeline))
            self._steps[pipeline] = {step.name: step for step in all_steps(spec.steps)}
            if len(self._steps) > _CACHED_PIPELINES:
                self._steps.popitem(last=False)
        return self._steps[pipeline][name]

    async def read(self, values: Mapping[str, Bound]) -> dict[str, JsonValue]:
        """All variables. Raises ArtifactError."""
        return {name: await self._value(bound) for name, bound in values.items()}

    async def of(self, ref: BlobRef | None) -> JsonValue:
        """One value; None is null. Raises ArtifactError."""
        return None if ref is None else decode(await self._text(ref))

    async def keep(self, value: JsonValue) -> BlobRef:
        """Store a value. Raises StepError for one that cannot be."""
        return await self._store.put(encode(value))

    async def _value(self, bound: Bound) -> JsonValue:
        if bound.ref is None:
            return bound.literal
        value = await self.of(bound.ref)
        return value if bound.index is None else element(value, bound.index)

    async def _text(self, ref: BlobRef) -> bytes:
        if ref in self._texts:
            self._texts.move_to_end(ref)
            return self._texts[ref]
        data = await self._store.get(ref)
        self._texts[ref] = data
        self._held += len(data)
        while self._held > _CACHED_BYTES and self._texts:
            _, dropped = self._texts.popitem(last=False)
            self._held -= len(dropped)
        return data
