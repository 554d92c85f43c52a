"""Model calls of a run in this process: budget, breaker, retries and fallbacks as in the durable one."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import GiveUp, Send, WaitForBudget, WaitUntil, in_turn
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.money import NO_CAP_MICRO, Usage
from orchestrator.domain.pipeline import LlmStep, RetryPolicy
from orchestrator.domain.pipeline_attempts import Attempts, PipelineStage, after_attempt, limits_of, next_attempt
from orchestrator.domain.settlement import Outcome, settle
from orchestrator.pipelines.answers import output_of
from orchestrator.pipelines.asking import ModelSource
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.values import asked_again, prompt_of
from orchestrator.providers.answers import unusable
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError


@dataclass
class Facts:
    """What one instance of a step has used so far. Money is micro-USD."""

    model: str = ""
    attempts: int = 0
    tokens: int = 0
    cost_micro: int = 0
    uncertain_micro: int = 0
    input_preview: str = ""
    notes: list[str] = field(default_factory=list)


class Refused(Exception):
    """Nobody gave an answer. `exhausted`: only the budget stood in the way; `timed_out`: the last one took too long."""

    def __init__(self, reason: str, *, exhausted: bool = False, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.exhausted = exhausted
        self.timed_out = timed_out


class CallsStopped(Exception):
    """The run has failed meanwhile: nothing more is asked."""


class LocalCalls:
    """The calls of one run, over one ledger and one set of circuits."""

    def __init__(
        self,
        source: ModelSource,
        max_micro: int | None,
        retry: RetryPolicy | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._stopped = False
        self._source = source
        self._capped = max_micro is not None
        self._ledger = Ledger(max_micro=NO_CAP_MICRO if max_micro is None else max_micro)
        self._breakers = Breakers()
        self._retry = retry
        self._clock = clock
        self._sleep = sleep
        self._waiters: list[str] = []
        self._settled = asyncio.Event()

    def stop(self) -> None:
        """The run has failed: what is on its way is awaited, nothing more is asked."""
        self._stopped = True
        self._settled.set()

    async def answer(self, instance: str, step: LlmStep, values: Mapping[str, JsonValue], facts: Facts) -> JsonValue:
        """The output of a step. Raises StepError, Refused and CallsStopped."""
        if self._retry is not None and not step.retry.max_retries:
            step = step.model_copy(update={"retry": self._retry})
        system, prompt = prompt_of(step, values)
        facts.input_preview = prompt
        models = self._source.models_of(step, capped=self._capped)
        if not models:
            raise Refused(f"nobody can be asked for {step.model!r}: it is no model here, or has no key or no price")
        attempts = Attempts()
        try:
            while not self._stopped:
                asked = asked_again(prompt, attempts.progress.error)
                limits = limits_of(step, _bytes(step, system, asked))
                now_s = self._clock()
                attempts, choice = next_attempt(attempts, step, models, limits, self._ledger, self._breakers, now_s)
                choice = in_turn(choice, instance, self._waiters)
                if not isinstance(choice, WaitForBudget) and instance in self._waiters:
                    self._waiters.remove(instance)
                match choice:
                    case GiveUp(reason=reason, exhausted=exhausted):
                        late = attempts.last is FailureKind.TIMEOUT
                        raise Refused(reason, exhausted=exhausted, timed_out=late)
                    case WaitUntil(time_s=time_s):
                        await self._sleep(max(0.0, time_s - now_s))
                    case WaitForBudget(amount_micro=amount_micro):
                        await self._budget(instance, amount_micro)
                    case Send():
                        found = await self._send(instance, attempts, step, choice, (system, asked), values, facts)
                        if not isinstance(found, CallFailure):
                            return found[0]
                        attempts = after_attempt(attempts, step, choice, found, self._clock())
            raise CallsStopped
        finally:
            if instance in self._waiters:
                self._waiters.remove(instance)

    async def _budget(self, instance: str, amount_micro: int) -> None:
        """Until this call is the first that waits and its amount fits, or can never fit."""
        if instance not in self._waiters:
            self._waiters.append(instance)
        while not self._stopped:
            first = self._waiters[0] == instance
            if (first and self._ledger.fits(amount_micro)) or not self._ledger.can_ever_fit(amount_micro):
                return
            self._settled.clear()
            await self._settled.wait()

    async def _send(
        self,
        instance: str,
        attempts: Attempts,
        step: LlmStep,
        send: Send,
        texts: tuple[str, str],
        values: Mapping[str, Any],
        facts: Facts,
    ) -> tuple[JsonValue] | CallFailure:
        """Reserve, ask, settle. The output in a tuple of its own, or the failure."""
        key = f"{instance}/{attempts.progress.ask}"
        self._ledger = self._ledger.reserve(key, send.amount_micro)
        self._breakers = self._breakers.on_send(send.model)
        facts.attempts += 1
        facts.model = send.model.model
        usage: Usage | None = None
        found: tuple[JsonValue] | CallFailure = _failure(FailureKind.CANCELLED, Fate.UNCERTAIN, "cancelled")
        try:
            answer = await self._ask(step, send, texts, values)
            usage = answer.usage
            found = self._understood(step, answer, facts)
        except ProviderError as error:
            usage = error.usage
            found = error.failure
        finally:
            failure = found if isinstance(found, CallFailure) else None
            self._settle(key, instance, send, Outcome(usage=usage, failure=failure), facts)
        return found

    async def _ask(self, step: LlmStep, send: Send, texts: tuple[str, str], values: Mapping[str, Any]) -> ModelAnswer:
        system, prompt = texts
        request = ModelRequest(
            model=send.model.model,
            system=system,
            prompt=prompt,
            max_tokens=send.max_tokens,
            temperature=step.temperature if send.model.temperature else None,
            json_schema=step.response_schema,
            stage=PipelineStage.STEP,
            sections={"step": step.name},
        )
        limit = asyncio.timeout(step.timeout_seconds)
        try:
            async with limit:
                return await self._source.ask(send.model, request, values)
        except TimeoutError:
            if not limit.expired():
                raise
            fate = Fate.UNBILLED if self._source.estimated else Fate.UNCERTAIN
            message = f"no answer within {step.timeout_seconds:g} s"
            raise ProviderError(_failure(FailureKind.TIMEOUT, fate, message)) from None

    def _understood(self, step: LlmStep, answer: ModelAnswer, facts: Facts) -> tuple[JsonValue] | CallFailure:
        stated = step.max_tokens is not None  # then an answer may be cut off, which is said and never silent
        fate = Fate.BILLED if answer.usage else Fate.UNCERTAIN
        found = unusable(answer, truncated=not stated or step.response_schema is not None)
        if found is not None:
            return _failure(found[0], fate, found[1])
        try:
            value, notes = output_of(step, answer.text)
        except StepError as error:
            return _failure(FailureKind.INVALID, fate, str(error))
        facts.notes.extend(notes)
        if answer.finish is FinishReason.LENGTH:
            facts.notes.append(f"the answer was cut off at max_tokens={step.max_tokens}")
        return (value,)

    def _settle(self, key: str, instance: str, send: Send, outcome: Outcome, facts: Facts) -> None:
        # A failure that names no wait asks for none: how long to wait is the step's business.
        failure = outcome.failure
        if failure is not None and failure.retry_after_s is None:
            outcome = outcome.model_copy(update={"failure": failure.model_copy(update={"retry_after_s": 0.0})})
        booked = settle(key, instance, send, outcome, self._ledger, self._breakers, self._clock())
        self._ledger, self._breakers = booked.ledger, booked.breakers
        facts.cost_micro += booked.cost_micro
        facts.uncertain_micro += booked.uncertain_micro
        facts.notes.extend(booked.findings)
        if outcome.usage is not None:
            facts.tokens += outcome.usage.input_tokens + outcome.usage.output_tokens
        self._settled.set()


def _bytes(step: LlmStep, system: str, prompt: str) -> int:
    schema = json.dumps(step.response_schema) if step.response_schema else ""
    return len((system + prompt + schema).encode(errors="replace"))


def _failure(kind: FailureKind, fate: Fate, message: str) -> CallFailure:
    return CallFailure(kind=kind, fate=fate, message=message[:200])
