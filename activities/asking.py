"""One request to one model, from the references to the recorded outcome."""

import asyncio
import hashlib
import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from activities.live_calls import LiveCall, Phase
from activities.observing import CallWatch, tell_lost
from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.journal import FREE, Changed, Done, Journal, Unknown, Void
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKind, CallRequest, CallResult
from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import UncertainCharge
from orchestrator.domain.money import cost_micro, upper_bound_micro
from orchestrator.domain.text import one_line
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider, ProviderError
from orchestrator.telemetry.instruments import CALLS_REUSED, STORE_ERRORS
from orchestrator.telemetry.logs import log_fields
from orchestrator.telemetry.redaction import redact
from orchestrator.telemetry.telemetry import SILENT, Telemetry

logger = logging.getLogger(__name__)
T = TypeVar("T")

NO_USAGE = "the vendor reported no usage"
_FIRST_DELAY_S = 0.1
_MAX_DELAY_S = 5.0
_MAX_NOTES = 5
_NOTE_CHARS = 160


class PromptError(Exception):
    """A prompt that cannot be made of what there is: nothing was sent."""


class UnusableError(Exception):
    """An answer that cannot be used whatever it was for."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Asker(ABC):
    """Performs calls over one store, one journal and the vendors of this process."""

    keeps_answers = True  # in the store, as they came

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        providers: Mapping[str, Provider],
        secrets: tuple[str, ...],
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._store = store
        self._journal = journal
        self._providers = providers
        self._secrets = secrets
        self._telemetry = telemetry

    async def perform(self, live: LiveCall) -> CallResult:
        """What came of the call: from the journal where it knows, else from the vendor."""
        key, model = live.request.key, live.request.model
        with log_fields(task_id=key.task, stage=key.stage.value, vendor=model.vendor, model=model.model):
            return await self._perform(live)

    async def _perform(self, live: LiveCall) -> CallResult:
        request = live.request
        provider = self._providers.get(request.model.vendor)
        if provider is None:
            message = f"this worker has no access to {request.model.vendor}"
            return _result(request, _failure(FailureKind.AUTH, Fate.UNBILLED, message))
        try:
            asked = await self._prompt(request)
        except ArtifactError as error:  # nothing was sent: whatever the prompt needs is gone
            return _result(request, _failure(FailureKind.INVALID, Fate.UNBILLED, one_line(str(error))))
        except PromptError as error:
            return _result(request, _failure(FailureKind.BAD_REQUEST, Fate.UNBILLED, self._clean(str(error))))
        size = _prompt_bytes(asked)
        if size > request.max_prompt_bytes:
            return CallResult(kind=CallKind.TOO_LARGE, model=request.model.id, prompt_bytes=size)
        kept = await self._keep(asked)
        digest = _digest(request, asked)
        match await self._journal.begin(request.key, digest, _most(request)):
            case Done(record=record) | Void(record=record):
                self._telemetry.add(CALLS_REUSED, 1, {"vendor": request.model.vendor})
                return record.model_copy(update={"replayed": True})
            case Changed(record=record):
                return _superseded(request, record)
            case Unknown():
                tell_lost(self._telemetry, request, _most(request))
                message = "the process that sent this request ended before it recorded the outcome"
                return _result(request, _failure(FailureKind.LOST, Fate.UNCERTAIN, message))
        live.phase = Phase.SENT
        watch = CallWatch(self._telemetry, request, asked, lambda text: redact(text, self._secrets))
        try:
            result = await self._ask(live, provider, asked, watch)
        except asyncio.CancelledError:
            watch.cancelled(_most(request))
            raise
        watch.ended(result, _charge(request, result))
        result = result.model_copy(update={"prompt_bytes": size, **kept})
        await self._record(request, digest, result)
        return result

    @abstractmethod
    async def _prompt(self, request: CallRequest) -> ModelRequest:
        """What is asked. Raises ArtifactError where something that it is made of is gone."""

    async def _keep(self, asked: ModelRequest) -> dict[str, object]:
        """Fields of the result that tell what was asked, texts already in the store."""
        return {}

    @abstractmethod
    async def _understand(self, request: CallRequest, answer: ModelAnswer) -> dict[str, Any]:
        """Fields of the result, `notes` among them. Raises UnusableError or AnswerError."""

    async def _ask(self, live: LiveCall, provider: Provider, asked: ModelRequest, watch: CallWatch) -> CallResult:
        request = live.request
        started = time.monotonic()
        try:
            async with asyncio.timeout(request.timeout_s):
                answer = await provider.complete(asked, lambda _: None)
        except TimeoutError:
            message = f"no complete answer within {request.timeout_s:g} s"
            result = _result(request, _failure(FailureKind.TIMEOUT, Fate.UNCERTAIN, message))
        except ProviderError as error:
            live.phase = Phase.ANSWERED
            # A failure without its usage, billed or not, is booked at the upper bound unless it is known to be free.
            fate = Fate.UNBILLED if error.failure.fate is Fate.UNBILLED else Fate.UNCERTAIN
            message = self._clean(error.failure.message)
            result = _result(request, error.failure.model_copy(update={"fate": fate, "message": message}))
        else:
            live.phase = Phase.ANSWERED
            watch.answered(answer)
            result = await self._insist(lambda: self._understood(request, answer))
        return result.model_copy(update={"latency_ms": round((time.monotonic() - started) * 1000)})

    async def _understood(self, request: CallRequest, answer: ModelAnswer) -> CallResult:
        """A complete answer, kept in the store, and what the stage makes of it."""
        kept: dict[str, object] = {"usage": answer.usage, "preview": self._clean(answer.text)}
        if answer.text and self.keeps_answers:
            kept["answer"] = await self._store.put(answer.text.encode(errors="replace"))
        fields: dict[str, object] = {}
        kind, message = None, ""
        try:
            fields = await self._understand(request, answer)
        except UnusableError as error:
            kind, message = error.kind, str(error)
        except AnswerError as error:
            kind, message = FailureKind.INVALID, str(error)
        notes = fields.pop("notes", ())
        assert isinstance(notes, tuple)
        kept["notes"] = self._notes(notes if answer.usage else (NO_USAGE, *notes))
        if kind is not None:
            fate = Fate.BILLED if answer.usage else Fate.UNCERTAIN
            failed = _failure(kind, fate, self._clean(message))
            return CallResult(kind=CallKind.FAILURE, model=request.model.id, failure=failed).model_copy(update=kept)
        return CallResult(kind=CallKind.ANSWER, model=request.model.id).model_copy(update={**kept, **fields})

    async def _record(self, request: CallRequest, digest: str, result: CallResult) -> None:
        """The outcome in one put. Of an uncertain call the INTENT stays: nobody knows."""
        if result.kind is CallKind.UNCERTAIN:
            return
        if result.failure is not None and result.failure.fate is Fate.UNBILLED:
            await self._insist(lambda: self._journal.void(request.key, digest, result))
        else:
            await self._insist(lambda: self._journal.done(request.key, digest, result, _cost(request, result)))

    async def _insist(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do it as soon as the store can be used: what the vendor was paid for must not be lost to a full disk."""
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                return await action()
            except (OSError, ArtifactUnavailableError) as error:
                logger.warning("the outcome of a call cannot be stored yet: %s", one_line(str(error)))
                self._telemetry.add(STORE_ERRORS, 1, {"activity": "outcome"})
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _MAX_DELAY_S)

    def _notes(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one_line(redact(note, self._secrets), _NOTE_CHARS) for note in notes[:_MAX_NOTES])

    def _clean(self, text: str) -> str:
        return one_line(redact(text, self._secrets))


def _most(request: CallRequest) -> UncertainCharge:
    """The upper bound that is reserved for the request."""
    prices = request.model.prices
    amount_micro = upper_bound_micro(request.max_prompt_bytes, request.max_tokens, prices) if prices else 0
    return UncertainCharge(amount_micro=amount_micro, model=request.model.id)


def _cost(request: CallRequest, result: CallResult) -> UncertainCharge:
    """What the vendor says that the request cost; where it does not say, or claims too much, the upper bound."""
    most = _most(request)
    if result.usage is None or not request.model.prices:
        return most
    actual = cost_micro(result.usage, request.model.prices)
    return most.model_copy(update={"amount_micro": min(actual, most.amount_micro)})


def _charge(request: CallRequest, result: CallResult) -> UncertainCharge:
    """What the request cost; where nobody knows, what it can cost at most."""
    if result.failure is not None and result.failure.fate is Fate.UNBILLED:
        return FREE
    return _most(request) if result.kind is CallKind.UNCERTAIN else _cost(request, result)


def _superseded(request: CallRequest, record: CallResult) -> CallResult:
    """This key was used for another prompt, which the run has forgotten: what that one cost is booked now."""
    message = "this request was made before, with another prompt"
    if record.failure is not None and record.failure.fate is Fate.UNBILLED:
        return _result(request, _failure(FailureKind.LOST, Fate.UNBILLED, message))
    if record.usage is None or record.model != request.model.id:  # another model had other prices
        return _result(request, _failure(FailureKind.LOST, Fate.UNCERTAIN, message))
    billed = _result(request, _failure(FailureKind.LOST, Fate.BILLED, message))
    return billed.model_copy(update={"usage": record.usage, "replayed": True})


def _result(request: CallRequest, failure: CallFailure) -> CallResult:
    kind = CallKind.UNCERTAIN if failure.fate is Fate.UNCERTAIN else CallKind.FAILURE
    return CallResult(kind=kind, model=request.model.id, failure=failure)


def _failure(kind: FailureKind, fate: Fate, message: str) -> CallFailure:
    return CallFailure(kind=kind, fate=fate, message=message)


def _prompt_bytes(asked: ModelRequest) -> int:
    schema = json.dumps(asked.json_schema) if asked.json_schema else ""
    return sum(len(text.encode(errors="replace")) for text in (asked.system, asked.prompt, schema))


def _digest(request: CallRequest, asked: ModelRequest) -> str:
    """Identifies what was asked of whom."""
    content = json.dumps([request.model.id, asked.system, asked.prompt, asked.json_schema])
    return hashlib.sha256(content.encode()).hexdigest()
