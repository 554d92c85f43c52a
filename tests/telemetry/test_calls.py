"""One request to a vendor: one span and one count, where it was sent, whatever came of it."""

import asyncio
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.model_calls import ModelActivities
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKind
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, Provider, ProviderError
from orchestrator.settings import load_settings
from orchestrator.telemetry import instruments, spans
from orchestrator.telemetry.telemetry import Telemetry
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.activities.calls import GOOD_FILE, SECRET, HeldProvider, call, request_for
from tests.telemetry.collector import Ear

ANSWER = ModelAnswer(
    text=f"{GOOD_FILE}\n# {SECRET}",
    usage=Usage(input_tokens=300_000, output_tokens=700_000, cached_input_tokens=100, cache_write_tokens=7),
    finish=FinishReason.STOP,
)
LABELS = ("acme", "fast")


class Failing:
    vendor = "acme"

    async def complete(self, request: ModelRequest, on_text: object) -> ModelAnswer:
        failure = CallFailure(kind=FailureKind.RATE_LIMIT, fate=Fate.UNBILLED, message="slow down", status=429)
        raise ProviderError(failure)

    async def aclose(self) -> None:
        pass


def activities(store: ArtifactStore, provider: Provider, telemetry: Telemetry, owner: str = "w1") -> ModelActivities:
    sandbox = Sandbox("", ToolEnvironment(load_settings({})), reason="none here")
    return ModelActivities(store, Journal(store, owner), {"acme": provider}, (SECRET,), sandbox, telemetry)


def answering() -> HeldProvider:
    provider = HeldProvider(ANSWER)
    provider.release.set()
    return provider


def opened(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open(tmp_path.as_uri())


def test_an_answer_is_one_span_below_its_task_with_the_names_of_the_conventions(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = opened(tmp_path), Ear()
        await call(activities(store, answering(), ear), await request_for(store, Stage.GENERATE))
        return ear

    ear = asyncio.run(scenario())
    (span,) = ear.spans
    trace = spans.trace_id("default", "p1")
    assert (span.name, span.client, span.error) == ("chat fast", True, "")
    assert (span.trace_id, span.parent_id) == (trace, spans.task_id(trace, "t1"))
    assert span.span_id == spans.call_id(trace, "default/p1/t1/0/generate/1/-/1")
    assert 0 <= span.end_s - span.start_s < 30
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "fast",
        "gen_ai.request.max_tokens": 1000,
        "gen_ai.request.temperature": 0.3,
        "gen_ai.output.type": "text",
        "gen_ai.usage.input_tokens": 300_000,
        "gen_ai.usage.output_tokens": 700_000,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 7,
        "gen_ai.response.finish_reasons": ("stop",),
        "orch.cost.usd": 1e-06,
        "orch.run.id": "p1",
        "orch.task.id": "t1",
        "orch.stage": "generate",
        "orch.iteration": 1,
        "orch.generation": 0,
        "orch.ask": 1,
    }
    assert ear.of(instruments.CALLS) == {(*LABELS, "generate", "answer"): 1}
    assert ear.of(instruments.COST) == {(*LABELS, "generate"): 1e-06}
    assert ear.of(instruments.CALL_TOKENS) == {
        ("chat", *LABELS, "input"): 300_000,
        ("chat", *LABELS, "output"): 700_000,
    }
    assert ear.of(instruments.CALLS_ACTIVE) == {("acme",): 0}
    for name, labels in ear.labels.items():
        declared = next(one.labels for one in instruments.INSTRUMENTS if one.name == name)
        assert labels <= set(declared), name


@pytest.mark.parametrize("content", [False, True])
def test_texts_are_told_on_request_only_and_never_a_key(tmp_path: Path, content: bool) -> None:
    async def scenario() -> Ear:
        store, ear = opened(tmp_path), Ear(content=content)
        await call(activities(store, answering(), ear), await request_for(store, Stage.GENERATE))
        return ear

    (span,) = asyncio.run(scenario()).spans
    told = str(dict(span.attributes))
    assert ("Write the core." in told) is content
    assert ("pkg/core.py" in told) is content
    assert ("gen_ai.output.messages" in span.attributes) is content
    assert SECRET not in told


def test_a_failure_has_its_class_and_costs_nothing(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = opened(tmp_path), Ear()
        result = await call(activities(store, Failing(), ear), await request_for(store, Stage.PLAN))
        assert result.kind is CallKind.FAILURE
        return ear

    ear = asyncio.run(scenario())
    (span,) = ear.spans
    assert (span.error, span.attributes["http.response.status_code"]) == ("rate_limit", 429)
    assert "slow down" not in str(span)
    assert ear.of(instruments.CALLS) == {(*LABELS, "plan", "rate_limit"): 1}
    assert ear.of(instruments.CALL_DURATION).keys() == {("chat", *LABELS, "rate_limit")}
    assert not ear.of(instruments.COST)


def test_what_the_journal_answers_is_neither_a_span_nor_a_call(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store = opened(tmp_path)
        request = await request_for(store, Stage.GENERATE)
        first, second = Ear(), Ear()
        await call(activities(store, answering(), first), request)
        result = await call(activities(store, answering(), second, owner="w2"), request)
        assert result.replayed
        assert len(first.spans) == 1
        return second

    ear = asyncio.run(scenario())
    assert ear.spans == []
    assert ear.of(instruments.CALLS) == {}
    assert ear.of(instruments.CALLS_REUSED) == {("acme",): 1}


def test_a_call_whose_process_died_is_told_as_lost_with_its_upper_bound(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = opened(tmp_path), Ear()
        request = await request_for(store, Stage.GENERATE)
        dying = HeldProvider(ANSWER)
        environment = ActivityEnvironment()
        begun = asyncio.create_task(call(activities(store, dying, Ear()), request, environment))
        await dying.asked.wait()
        result = await call(activities(store, answering(), ear, owner="w2"), request)
        assert result.kind is CallKind.UNCERTAIN
        dying.release.set()
        await begun
        return ear

    ear = asyncio.run(scenario())
    (span,) = ear.spans
    assert (span.error, span.start_s) == ("lost", span.end_s)
    assert "gen_ai.usage.input_tokens" not in span.attributes
    assert ear.of(instruments.CALLS) == {(*LABELS, "generate", "lost"): 1}
    assert ear.of(instruments.UNCERTAIN) == {LABELS: span.attributes["orch.uncertain.usd"]}


def test_a_cancelled_call_is_told_once(tmp_path: Path) -> None:
    async def scenario() -> Ear:
        store, ear = opened(tmp_path), Ear()
        held, environment = HeldProvider(ANSWER), ActivityEnvironment()
        environment.on_heartbeat = lambda *_: None
        running = asyncio.create_task(
            call(activities(store, held, ear), await request_for(store, Stage.GENERATE), environment)
        )
        await held.asked.wait()
        assert ear.of(instruments.CALLS_ACTIVE) == {("acme",): 1}
        environment.cancel()
        assert (await running).kind is CallKind.UNCERTAIN
        return ear

    ear = asyncio.run(scenario())
    (span,) = ear.spans
    assert span.error == "cancelled"
    assert ear.of(instruments.CALLS) == {(*LABELS, "generate", "cancelled"): 1}
    assert ear.of(instruments.CALLS_ACTIVE) == {("acme",): 0}
