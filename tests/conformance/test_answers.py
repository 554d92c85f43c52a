"""Complete answers: text, pieces, usage, finish reasons, and what goes over the wire."""

import asyncio
from typing import Any

import pytest

from orchestrator.domain.answers import PlanAnswer
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelAnswer
from orchestrator.testing.vendor_script import Fault, Reply
from tests.conformance.harness import Family, ask, family, opened_family

__all__ = ["family", "opened_family"]

TEXT = "def push(self, x): ...\n" * 6


def test_text_arrives_in_pieces_and_whole(family: Family) -> None:
    family.script(Reply(text=TEXT, chunks=5))
    answer = family.ask()
    assert answer.text == TEXT
    assert family.pieces == Reply(text=TEXT, chunks=5).pieces()
    assert answer.finish is FinishReason.STOP
    assert family.last.complete


def test_usage_includes_cached_input(family: Family) -> None:
    usage = Usage(input_tokens=100, cached_input_tokens=40, output_tokens=30)
    family.script(Reply(text=TEXT, usage=usage))
    assert family.ask().usage == usage


def test_computed_usage_is_what_the_server_counted(family: Family) -> None:
    family.script(Reply(text=TEXT))
    assert family.ask().usage == family.last.usage


def test_hidden_reasoning_is_billed_but_no_text(family: Family) -> None:
    family.script(Reply(text=TEXT, hidden="let me think " * 20))
    answer = family.ask()
    assert (answer.text, answer.usage) == (TEXT, family.last.usage)
    assert family.last.usage.output_tokens > len(TEXT) // 4 + 60


@pytest.mark.parametrize("fault", [Fault.USAGE_MISSING, Fault.USAGE_ABSURD])
def test_unusable_usage_is_none(family: Family, fault: Fault) -> None:
    family.script(Reply(text=TEXT, fault=fault))
    answer = family.ask()
    assert (answer.text, answer.usage) == (TEXT, None)


@pytest.mark.parametrize("reply", [Reply(text=""), Reply(text="x", fault=Fault.NULL_CONTENT)])
def test_an_empty_answer_is_an_answer(family: Family, reply: Reply) -> None:
    family.script(reply)
    assert family.ask().text == ""


def test_an_answer_that_ended_by_its_length_says_so(family: Family) -> None:
    family.script(Reply(text=TEXT * 100))
    answer = family.ask(ask(max_tokens=20))
    assert answer.finish is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_tokens <= 20


@pytest.mark.parametrize("scripted", [FinishReason.REFUSAL, FinishReason.FILTER])
def test_refusal_and_filter_are_told_apart_where_the_vendor_does(family: Family, scripted: FinishReason) -> None:
    family.script(Reply(text="I cannot", finish=scripted))
    expected = {"anthropic": FinishReason.REFUSAL, "google": FinishReason.FILTER}.get(family.vendor, scripted)
    assert family.ask().finish is expected


def test_the_request_on_the_wire(family: Family) -> None:
    family.script(Reply(text="ok"))
    family.ask(ask(temperature=0.3, max_tokens=77))
    sent = family.last.request
    assert (sent.model, sent.system, sent.prompt) == ("some-model", ask().system, ask().prompt)
    assert (sent.max_tokens, sent.stage, sent.stream) == (77, "generate", True)
    parameters: Any = sent.body["generationConfig"] if family.vendor == "google" else sent.body
    assert parameters["temperature"] == 0.3
    if family.vendor == "openai":
        assert "max_completion_tokens" in sent.body
        assert "max_tokens" not in sent.body
        assert sent.body["stream_options"] == {"include_usage": True}
    if family.vendor == "deepseek":
        assert "max_tokens" in sent.body


def test_no_temperature_is_sent_unless_asked_for(family: Family) -> None:
    family.script(Reply(text="ok"))
    family.ask()
    assert "temperature" not in str(family.last.request.body)


def test_models_that_charge_for_cache_writes_are_told_not_to(family: Family) -> None:
    family.script(Reply(text="ok"))
    for model in ("gpt-6-luna", "gpt-5.6-terra", "gpt-5-mini", "gpt-5.4-mini"):
        family.ask(ask(model=model))
    told = ["prompt_cache_options" in record.request.body for record in family.server.requests]
    assert told == ([True, True, False, False] if family.vendor == "openai" else [False] * 4)


def test_structured_output_uses_the_native_mode(family: Family) -> None:
    family.script(Reply(text="{}"))
    family.ask(ask(json_schema=PlanAnswer.model_json_schema()))
    body: Any = family.last.request.body
    if family.vendor == "openai":
        form = body["response_format"]
        assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
        schema = form["json_schema"]["schema"]
    elif family.vendor == "anthropic":
        form = body["output_config"]["format"]
        assert form["type"] == "json_schema"
        schema = form["schema"]
    elif family.vendor == "google":
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        schema = body["generationConfig"]["responseJsonSchema"]
    else:
        assert body["response_format"] == {"type": "json_object"}
        assert "JSON Schema" in family.last.request.system
        return
    task = schema["$defs"]["PlannedTask"]
    assert task["additionalProperties"] is False
    assert set(task["required"]) == set(task["properties"])
    assert "minLength" not in str(schema)


def test_one_provider_serves_many_requests_at_once(family: Family) -> None:
    family.script(lambda request: Reply(text=f"echo {request.prompt}", chunks=3, chunk_delay_ms=1))

    async def many() -> list[ModelAnswer]:
        asked = (family.provider.complete(ask(f"p{n}"), lambda _: None) for n in range(20))
        return await asyncio.gather(*asked)

    assert [answer.text for answer in family.run(many())] == [f"echo p{n}" for n in range(20)]
