"""Scripted models: which reply a request gets."""

import asyncio
import json

import pytest

from orchestrator.domain.answers import Critique, Evaluation, Verdict
from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, Provider, ProviderError
from orchestrator.testing.scripted import Reply, ScriptedProvider, task_of


def request(stage: Stage, task: str = "") -> ModelRequest:
    sections = {"task": json.dumps({"id": task})} if task else {}
    return ModelRequest(model="m", system="sys", prompt="prompt", max_tokens=100, stage=stage, sections=sections)


def ask(provider: Provider, stage: Stage, task: str = "") -> str:
    return asyncio.run(provider.complete(request(stage, task), lambda text: None)).text


def test_the_task_goes_before_the_stage_and_the_last_reply_stays() -> None:
    provider = ScriptedProvider(
        "acme",
        {Stage.GENERATE: "any", (Stage.GENERATE, "t2"): ["first", "second"], Stage.EVALUATE: Evaluation(score=1)},
    )
    assert ask(provider, Stage.GENERATE, "t1") == "any"
    assert [ask(provider, Stage.GENERATE, "t2") for _ in range(3)] == ["first", "second", "second"]
    assert Evaluation.model_validate_json(ask(provider, Stage.EVALUATE, "t2")).score == 1
    assert [task_of(seen) for seen in provider.requests] == ["t1", "t2", "t2", "t2", "t2"]


def test_failures_are_raised_and_what_is_not_scripted_is_a_bad_request() -> None:
    busy = ProviderError.of(FailureKind.SERVER, Fate.UNBILLED, "busy")
    provider = ScriptedProvider("acme", {Stage.PLAN: [busy, "plan"]})
    with pytest.raises(ProviderError) as caught:
        ask(provider, Stage.PLAN)
    assert caught.value is busy
    assert ask(provider, Stage.PLAN) == "plan"
    with pytest.raises(ProviderError, match="critique of task t1") as caught:
        ask(provider, Stage.CRITIQUE, "t1")
    assert caught.value.failure.kind is FailureKind.BAD_REQUEST


def test_functions_may_be_async_and_usage_may_be_set() -> None:
    scripted = ModelAnswer(text="cut", usage=Usage(input_tokens=7), finish=FinishReason.LENGTH)

    async def reply(asked: ModelRequest) -> Reply:
        await asyncio.sleep(0)
        return scripted if asked.stage is Stage.PLAN else Critique(score=0.5, verdict=Verdict.REVISE)

    provider = ScriptedProvider("acme", reply)
    pieces: list[str] = []
    assert asyncio.run(provider.complete(request(Stage.PLAN), pieces.append)) == scripted
    assert pieces == ["cut"]
    answer = asyncio.run(provider.complete(request(Stage.CRITIQUE), pieces.append))
    assert answer.usage == Usage(input_tokens=len("sysprompt"), output_tokens=len(answer.text))
    asyncio.run(provider.aclose())
    assert provider.closed
