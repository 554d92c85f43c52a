"""Activities that ask a model: one implementation of the call behind every stage."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence

from temporalio import activity

from activities.answers import understand
from activities.heartbeat import heartbeats
from activities.interfaces import STAGE_ACTIVITIES, ModelInterface
from activities.sections import read_sections
from orchestrator.artifacts.journal import Changed, Done, Fresh, Journal, Unknown, Void
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKind, CallRequest, CallResult
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.tasks import Stage
from orchestrator.prompts import build_prompt, schema_for
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, Provider, ProviderError
from orchestrator.telemetry.redaction import one_line, redact

_TEMPERATURES = {Stage.EVALUATE: 0.1, Stage.CRITIQUE: 0.2}
_TEMPERATURE = 0.3


class ModelActivities(ModelInterface):
    """Calls over one store, one journal and the vendors of this process.

    Within a process a call is one asyncio task per key: an attempt that Temporal gave up on leaves it running, and
    a later attempt joins it, so that a short outage of the server throws no paid answer away.
    """

    def __init__(
        self, store: ArtifactStore, journal: Journal, providers: Mapping[str, Provider], secrets: Sequence[str]
    ) -> None:
        self._store = store
        self._journal = journal
        self._providers = dict(providers)
        self._secrets = tuple(secrets)
        self._live: dict[str, asyncio.Task[CallResult]] = {}

    @activity.defn(name=STAGE_ACTIVITIES[Stage.PLAN])
    async def plan(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.GENERATE])
    async def generate(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.CRITIQUE])
    async def critique(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REVISE])
    async def revise(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.EVALUATE])
    async def evaluate(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REPAIR])
    async def repair(self, request: CallRequest) -> CallResult:
        return await self._call(request)

    async def _call(self, request: CallRequest) -> CallResult:
        """Start the call or join it; only a real request to cancel stops it."""
        name = request.key.text()
        live = self._live.get(name)
        if live is None:
            live = self._live[name] = asyncio.create_task(self._perform(request), name=name)
            live.add_done_callback(lambda _: self._live.pop(name, None))
        async with heartbeats():
            try:
                return await asyncio.shield(live)
            except asyncio.CancelledError:
                details = activity.cancellation_details()
                if live.done() or details is None or not details.cancel_requested:
                    raise
                live.cancel()
                await asyncio.wait([live])
                return _cancelled(request) if live.cancelled() else live.result()

    async def _perform(self, request: CallRequest) -> CallResult:
        sections = await read_sections(self._store, request.parts)
        stage = request.key.stage
        system, prompt = build_prompt(stage, sections)
        schema = schema_for(stage)
        size = len(system.encode()) + len(prompt.encode()) + (len(json.dumps(schema).encode()) if schema else 0)
        if size > request.max_prompt_bytes:
            return CallResult(kind=CallKind.TOO_LARGE, model=request.model.id, prompt_bytes=size)
        asked = ModelRequest(
            model=request.model.model,
            system=system,
            prompt=prompt,
            max_tokens=request.max_tokens,
            temperature=_TEMPERATURES.get(stage, _TEMPERATURE) if request.model.temperature else None,
            json_schema=schema,
            stage=stage,
            sections=sections,
        )
        digest = _digest(request, asked)
        begin = await self._journal.begin(request.key, digest)
        match begin:
            case Done(record=record) | Void(record=record):
                return record.model_copy(update={"replayed": True})
            case Unknown() | Changed():
                return _lost(request)
            case Fresh():
                return await self._ask(request, asked, digest)

    async def _ask(self, request: CallRequest, asked: ModelRequest, digest: str) -> CallResult:
        """Send the request and record what came of it, in one put, before anybody is told."""
        started = time.monotonic()
        try:
            answer = await self._providers[request.model.vendor].complete(asked, lambda _: None)
        except ProviderError as error:
            failure = error.failure.model_copy(update={"message": self._clean(error.failure.message)})
            result = _failed(request, failure, started)
            if failure.fate is Fate.UNBILLED:
                await self._journal.void(request.key, digest, result)
            return result
        result = await self._judge(request, answer, started)
        await self._journal.done(request.key, digest, result)
        return result

    async def _judge(self, request: CallRequest, answer: ModelAnswer, started: float) -> CallResult:
        """Whether the complete answer is one that the stage can use."""
        raw = await self._store.put(answer.text.encode(errors="replace"))
        base = CallResult(
            kind=CallKind.ANSWER,
            model=request.model.id,
            usage=answer.usage,
            latency_ms=_elapsed_ms(started),
            preview=self._clean(answer.text),
            answer=raw,
        )
        kind, message = _unusable(answer)
        if kind is None:
            understood = await understand(self._store, request, answer.text)
            if isinstance(understood, dict):
                return base.model_copy(update=understood)
            kind, message = FailureKind.INVALID, understood
        failure = CallFailure(
            kind=kind,
            fate=Fate.BILLED if answer.usage else Fate.UNCERTAIN,
            message=self._clean(message),
        )
        return base.model_copy(update={"kind": CallKind.FAILURE, "failure": failure})

    def _clean(self, text: str) -> str:
        return one_line(redact(text, self._secrets))


def _unusable(answer: ModelAnswer) -> tuple[FailureKind | None, str]:
    match answer.finish:
        case FinishReason.REFUSAL:
            return FailureKind.REFUSED, "the model refused"
        case FinishReason.FILTER:
            return FailureKind.FILTERED, "the vendor's content filter ended the answer"
        case FinishReason.LENGTH:
            return FailureKind.TRUNCATED, "the output limit cut the answer"
    if not answer.text.strip():
        return FailureKind.EMPTY, "the answer is empty"
    return None, ""


def _failed(request: CallRequest, failure: CallFailure, started: float) -> CallResult:
    uncertain = failure.fate is Fate.UNCERTAIN
    return CallResult(
        kind=CallKind.UNCERTAIN if uncertain else CallKind.FAILURE,
        model=request.model.id,
        failure=failure,
        latency_ms=_elapsed_ms(started),
    )


def _lost(request: CallRequest) -> CallResult:
    return CallResult(
        kind=CallKind.UNCERTAIN,
        model=request.model.id,
        failure=CallFailure(
            kind=FailureKind.LOST,
            fate=Fate.UNCERTAIN,
            message="the process that sent this request ended before it could record the outcome",
        ),
    )


def _cancelled(request: CallRequest) -> CallResult:
    return CallResult(
        kind=CallKind.UNCERTAIN,
        model=request.model.id,
        failure=CallFailure(
            kind=FailureKind.CANCELLED, fate=Fate.UNCERTAIN, message="cancelled while the vendor was answering"
        ),
    )


def _digest(request: CallRequest, asked: ModelRequest) -> str:
    """Identifies what was asked: the same key with another prompt is another request."""
    content = json.dumps([request.model.id, asked.system, asked.prompt, asked.max_tokens, asked.temperature])
    return hashlib.sha256(content.encode()).hexdigest()


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
