"""What telemetry learns of one request to a vendor: told once, where the request was sent."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping

from orchestrator.contracts.calls import CallKey, CallKind, CallRequest, CallResult
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import UncertainCharge
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, usd
from orchestrator.domain.tasks import PROJECT
from orchestrator.providers.base import ModelAnswer, ModelRequest
from orchestrator.telemetry import instruments, spans
from orchestrator.telemetry.spans import Attribute, Span
from orchestrator.telemetry.telemetry import Telemetry

logger = logging.getLogger(__name__)

OPERATION = "chat"
# Where the GenAI conventions have a name of their own for a vendor.
_PROVIDER_NAMES = {"google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}


class CallWatch:
    """One request from the moment that it is sent. `clean` takes secrets out of a text."""

    def __init__(
        self, telemetry: Telemetry, request: CallRequest, asked: ModelRequest | None, clean: Callable[[str], str]
    ) -> None:
        self._telemetry = telemetry
        self._request = request
        self._asked = asked
        self._clean = clean
        self._answer: ModelAnswer | None = None
        self._started_s, self._started = time.time(), time.monotonic()
        telemetry.add(instruments.CALLS_ACTIVE, 1, {"vendor": request.model.vendor})

    def answered(self, answer: ModelAnswer) -> None:
        """The vendor's whole answer is there."""
        self._answer = answer

    def ended(self, result: CallResult, charge: UncertainCharge) -> None:
        """`charge`: what the request cost; where its fate is unknown, what it can cost at most."""
        self._telemetry.add(instruments.CALLS_ACTIVE, -1, {"vendor": self._request.model.vendor})
        duration_s = time.monotonic() - self._started
        labels = _gen_ai(self._request.model)
        error = result.failure.kind.value if result.failure else ""
        self._telemetry.add(instruments.CALL_DURATION, duration_s, labels | ({"error.type": error} if error else {}))
        for kind, tokens in _tokens(result.usage):
            self._telemetry.add(instruments.CALL_TOKENS, tokens, labels | {"gen_ai.token.type": kind})
        _count(self._telemetry, self._request, result, charge)
        logger.info("call ended after %.1f s: %s", duration_s, error or "answer")
        if self._telemetry.traces:
            attributes = {**labels, **self._sent(), **_outcome(result, charge, self._answer), **self._content()}
            self._telemetry.emit(_span(self._request, self._started_s, duration_s, attributes, error))

    def cancelled(self, charge: UncertainCharge) -> None:
        """It was stopped while the vendor answered."""
        self.ended(_uncertain(self._request, FailureKind.CANCELLED), charge)

    def _sent(self) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {"gen_ai.request.max_tokens": self._request.max_tokens}
        if self._asked is not None:
            found["gen_ai.output.type"] = "json" if self._asked.json_schema else "text"
            if self._asked.temperature is not None:
                found["gen_ai.request.temperature"] = self._asked.temperature
        return found

    def _content(self) -> dict[str, Attribute]:
        """Prompt and answer, where somebody asked for them."""
        if not self._telemetry.content or self._asked is None:
            return {}
        found: dict[str, Attribute] = {"gen_ai.input.messages": self._message("user", self._asked.prompt)}
        if self._asked.system:
            found["gen_ai.system_instructions"] = json.dumps([self._part(self._asked.system)], ensure_ascii=False)
        if self._answer is not None:
            found["gen_ai.output.messages"] = self._message("assistant", self._answer.text)
        return found

    def _message(self, role: str, text: str) -> str:
        return json.dumps([{"role": role, "parts": [self._part(text)]}], ensure_ascii=False)

    def _part(self, text: str) -> dict[str, str]:
        return {"type": "text", "content": self._clean(text)}


def tell_lost(telemetry: Telemetry, request: CallRequest, charge: UncertainCharge) -> None:
    """The process that sent the request is gone, and what came of it with it."""
    result = _uncertain(request, FailureKind.LOST)
    _count(telemetry, request, result, charge)
    logger.warning("call lost: the process that sent it ended before it recorded the outcome")
    if telemetry.traces:
        attributes = {**_gen_ai(request.model), **_outcome(result, charge, None)}
        telemetry.emit(_span(request, time.time(), 0.0, attributes, FailureKind.LOST.value))


def _uncertain(request: CallRequest, kind: FailureKind) -> CallResult:
    failure = CallFailure(kind=kind, fate=Fate.UNCERTAIN, message="")
    return CallResult(kind=CallKind.UNCERTAIN, model=request.model.id, failure=failure)


def _count(telemetry: Telemetry, request: CallRequest, result: CallResult, charge: UncertainCharge) -> None:
    model, stage = request.model, request.key.stage.value
    outcome = result.failure.kind.value if result.failure else CallKind.ANSWER.value
    labels = {"vendor": model.vendor, "model": model.model}
    telemetry.add(instruments.CALLS, 1, {**labels, "stage": stage, "outcome": outcome})
    if result.kind is CallKind.UNCERTAIN:
        telemetry.add(instruments.UNCERTAIN, usd(charge.amount_micro), labels)
    elif charge.amount_micro:
        telemetry.add(instruments.COST, usd(charge.amount_micro), {**labels, "stage": stage})


def _span(
    request: CallRequest, start_s: float, duration_s: float, attributes: Mapping[str, Attribute], error: str
) -> Span:
    key = request.key
    trace = spans.trace_id(key.namespace, key.project)
    return Span(
        name=f"{OPERATION} {request.model.model}",
        trace_id=trace,
        span_id=spans.call_id(trace, key.text()),
        parent_id=spans.root_id(trace) if key.task == PROJECT else spans.task_id(trace, key.task),
        start_s=start_s,
        end_s=start_s + duration_s,
        attributes={**attributes, **_place(key)},
        error=error,
        client=True,
    )


def _gen_ai(model: ModelSpec) -> dict[str, str]:
    return {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": _PROVIDER_NAMES.get(model.vendor, model.vendor),
        "gen_ai.request.model": model.model,
    }


def _place(key: CallKey) -> dict[str, Attribute]:
    """Where in the run the call stands."""
    found: dict[str, Attribute] = {
        "orch.run.id": key.project,
        "orch.task.id": key.task,
        "orch.stage": key.stage.value,
        "orch.iteration": key.iteration,
        "orch.generation": key.generation,
        "orch.ask": key.ask,
    }
    return found | ({"orch.role": key.role} if key.role else {})


def _outcome(result: CallResult, charge: UncertainCharge, answer: ModelAnswer | None) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    if result.usage is not None:
        found = {
            "gen_ai.usage.input_tokens": result.usage.input_tokens,
            "gen_ai.usage.output_tokens": result.usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": result.usage.cached_input_tokens,
            "gen_ai.usage.cache_creation.input_tokens": result.usage.cache_write_tokens,
        }
    if answer is not None:
        found["gen_ai.response.finish_reasons"] = (answer.finish.value,)
    if result.failure is not None and result.failure.status is not None:
        found["http.response.status_code"] = result.failure.status
    name = "orch.uncertain.usd" if result.kind is CallKind.UNCERTAIN else "orch.cost.usd"
    return found | {name: usd(charge.amount_micro)}


def _tokens(usage: Usage | None) -> Iterator[tuple[str, int]]:
    if usage is not None:
        yield "input", usage.input_tokens
        yield "output", usage.output_tokens
