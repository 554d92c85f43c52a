"""Complete answers: text, pieces, usage, finish reasons, and what goes over the wire."""

import asyncio
from fractions import Fraction
from typing import Any

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.domain.answers import PlanAnswer
from orchestrator.domain.money import TOKENS_PER_PRICE, Usage, cost_micro, upper_bound_micro
from orchestrator.providers.base import FinishReason, ModelAnswer
from orchestrator.providers.registry import open_provider
from orchestrator.settings import load_settings
from orchestrator.testing.vendor_script import Fault, Reply
from tests.conformance.harness import Family, ask, family, full_port, opened_family

__all__ = ["family", "opened_family"]

CATALOG = open_catalog(load_settings({}))
CACHE_ON = {"prompt_cache": "on"}
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
    assert family.ask().usage == family.seen(usage)


def test_usage_includes_what_was_written_to_the_cache(family: Family) -> None:
    usage = Usage(input_tokens=100, cached_input_tokens=40, cache_write_tokens=50, output_tokens=30)
    family.script(Reply(text=TEXT, usage=usage))
    assert family.ask().usage == family.seen(usage)


def test_a_cache_write_has_its_price_and_fits_into_what_was_reserved(family: Family) -> None:
    usage = Usage(input_tokens=1000, cache_write_tokens=1000, output_tokens=10)
    family.script(Reply(text=TEXT, usage=usage))
    answered, sent = family.ask().usage, family.seen(usage)
    if sent is None or not sent.cache_write_tokens:
        assert answered == sent
        return
    assert answered is not None
    for model in (model for model in CATALOG.models if model.vendor == family.vendor and model.prices):
        plain = cost_micro(answered.model_copy(update={"cache_write_tokens": 0}), model.prices)
        charged = cost_micro(answered, model.prices)
        assert charged <= upper_bound_micro(usage.input_tokens, usage.output_tokens, model.prices)
        if family.vendor == "anthropic":  # five minutes of cache cost a quarter more than other input
            surcharge = Fraction(model.prices[0].input_micro, 4) * 1000 / TOKENS_PER_PRICE
            assert plain + surcharge - 1 < charged < plain + surcharge + 1


def test_a_cache_that_costs_to_write_is_written_for_who_wants_it(family: Family) -> None:
    options = {option.name for option in family.settings.definition.options}
    family.lacking = "prompt_cache" not in options
    wanted = open_provider(family.settings.model_copy(update={"options": {**family.settings.options, **CACHE_ON}}))
    family.run(wanted.complete(ask(model="gpt-6-luna"), family.pieces.append))
    family.ask(ask(model="gpt-6-luna"))
    with_cache, without = (str(record.request.body) for record in family.server.requests[-2:])
    assert (with_cache == without) == family.lacking
    assert ("cache_control" in with_cache) == (family.vendor == "anthropic")
    assert "cache_control" not in without
    family.run(wanted.aclose())


def test_computed_usage_is_what_the_server_counted(family: Family) -> None:
    family.script(Reply(text=TEXT))
    assert family.ask().usage == family.seen(family.last.usage)


@pytest.mark.parametrize("model", ["some-model", "a-model-that-thinks-inline"])
def test_hidden_reasoning_is_billed_but_no_text(family: Family, model: str) -> None:
    family.script(Reply(text=TEXT, hidden="let me think " * 20))
    answer = family.ask(ask(model=model))
    assert (answer.text, "".join(family.pieces)) == (TEXT, TEXT)
    assert answer.usage == family.seen(family.last.usage)
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
    assert family.last.usage.output_tokens <= 20


@pytest.mark.parametrize("scripted", [FinishReason.REFUSAL, FinishReason.FILTER])
def test_refusal_and_filter_are_told_apart_where_the_vendor_does(family: Family, scripted: FinishReason) -> None:
    family.script(Reply(text="I cannot", finish=scripted))
    one_word = {
        "anthropic": FinishReason.REFUSAL,
        "google": FinishReason.FILTER,
        "gigachat": FinishReason.FILTER,
        "yandex": FinishReason.FILTER,
        "ollama": FinishReason.STOP,
    }
    expected = one_word.get(family.wire, scripted)
    family.lacking = expected is not scripted
    assert family.ask().finish is expected


def test_the_request_on_the_wire(family: Family) -> None:
    family.script(Reply(text="ok"))
    family.ask(ask(temperature=0.3, max_tokens=77))
    sent = family.last.request
    if family.capabilities.system_role == "system":
        assert (sent.system, sent.prompt, sent.stage) == (ask().system, ask().prompt, "generate")
    else:
        family.lacking = True
        assert (sent.system, sent.prompt) == ("", f"{ask().system}\n\n{ask().prompt}")
    assert (sent.model, sent.max_tokens, sent.stream) == ("some-model", 77, True)
    assert family.parameters["temperature"] == 0.3
    if family.wire == "openai_compatible":
        names = {"max_tokens", "max_completion_tokens"} & sent.body.keys()
        assert names == {family.capabilities.max_tokens}
        asked = sent.body.get("stream_options")
        assert asked == ({"include_usage": True} if family.capabilities.stream_usage == "asked" else None)


def test_no_system_text_is_no_system_message(family: Family) -> None:
    family.ask(ask(system=""))
    assert (family.last.request.system, family.last.request.prompt) == ("", ask().prompt)
    assert '"system"' not in str(family.last.request.body).replace("'", '"')


def test_nothing_is_sent_that_was_not_asked_for(family: Family) -> None:
    family.ask()
    sent = str(family.last.request.body)
    assert not [name for name in ("temperature", "top_p", "topP", "stop", "response_format") if f"'{name}" in sent]


def test_a_temperature_that_is_too_high_is_lowered(family: Family) -> None:
    family.ask(ask(temperature=2.0))
    assert family.parameters["temperature"] == family.capabilities.temperature_max


REFUSING_MODELS = {
    "openai": ("gpt-6.1-sol", "gpt-5-mini", "o3"),
    "anthropic": ("claude-sonnet-5-5", "claude-haiku-5-5"),
    "google": ("gemini-4-argon",),
    "deepseek": ("deepseek-reasoner", "deepseek-flash", "deepseek-v4-pro"),
    "kimi": ("kimi-k2.6", "kimi-k2.7-code", "kimi-k3.1-pro"),
    "openrouter": ("openai/gpt-6.1-sol", "openai/o3", "anthropic/claude-sonnet-5.5"),
}


def test_models_that_refuse_a_temperature_get_none(family: Family) -> None:
    models = REFUSING_MODELS.get(family.vendor, ())
    assert bool(models) == bool(family.capabilities.no_temperature)
    for model in models:
        family.ask(ask(model=model, temperature=0.3, top_p=0.9))
        assert not {"temperature", "top_p", "topP"} & family.parameters.keys()


def test_the_text_ends_before_a_stop_sequence(family: Family) -> None:
    family.script(Reply(text="one two END three END four", chunks=13))
    answer = family.ask(ask(stop=("never", "END")))
    assert (answer.text, "".join(family.pieces)) == ("one two ", "one two ")
    assert answer.usage == family.seen(family.last.usage)
    field = {"anthropic": "stop_sequences", "google": "stopSequences"}.get(family.wire, "stop")
    sent = family.parameters.get(field)
    assert sent == (["never", "END"] if family.capabilities.stop else None)
    family.lacking = not family.capabilities.stop


def test_models_that_refuse_a_stop_sequence_are_cut_here(family: Family) -> None:
    models = {"openai": "gpt-6-luna", "xai": "grok-5"}
    assert (family.vendor in models) == bool(family.capabilities.no_stop)
    family.script(Reply(text="one END two", chunks=4))
    assert family.ask(ask(model=models.get(family.vendor, "some-model"), stop=("END",))).text == "one "


def test_models_that_charge_for_cache_writes_are_told_not_to(family: Family) -> None:
    family.script(Reply(text="ok"))
    for model in ("gpt-6-luna", "gpt-5.6-terra", "gpt-5-mini", "gpt-5.4-mini"):
        family.ask(ask(model=model))
    told = ["prompt_cache_options" in record.request.body for record in family.server.requests]
    assert told == ([True, True, False, False] if family.vendor == "openai" else [False] * 4)


def test_thoughts_that_come_inline_are_no_text(family: Family) -> None:
    if family.capabilities.thinking == "apart":
        family.script(Reply(text="<think>is text here</think>", chunks=5))
        assert family.ask().text == "<think>is text here</think>"
        return
    family.script(Reply(text="\n<think>not\n<b> this</think>\n\nbut <think> this", chunks=19))
    assert family.ask().text == "but <think> this"


def test_structured_output_goes_where_the_vendor_takes_it(family: Family) -> None:
    family.script(Reply(text="{}"))
    family.ask(ask(json_schema=PlanAnswer.model_json_schema()))
    body: Any = family.last.request.body
    told = family.last.request.system + family.last.request.prompt
    if family.capabilities.structured_output != "schema":
        family.lacking = True
        expected = {"type": "json_object"} if family.capabilities.structured_output == "object" else None
        assert body.get("response_format") == expected
        assert "JSON Schema" in told
        assert '"PlannedTask"' in told
        return
    assert "JSON Schema" not in told
    task = _schema_on_the_wire(family.wire, body)["$defs"]["PlannedTask"]
    assert task["additionalProperties"] is False
    assert set(task["required"]) == set(task["properties"])
    assert "minLength" not in str(body)


def _schema_on_the_wire(wire: str, body: Any) -> Any:
    if wire == "anthropic":
        assert body["output_config"]["format"]["type"] == "json_schema"
        return body["output_config"]["format"]["schema"]
    if wire == "google":
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        return body["generationConfig"]["responseJsonSchema"]
    if wire == "gigachat":
        assert body["response_format"]["type"] == "json_schema"
        return body["response_format"]["schema"]
    if wire == "yandex":
        return body["jsonSchema"]["schema"]
    if wire == "ollama":
        return body["format"]
    form = body["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    return form["json_schema"]["schema"]


def test_one_provider_serves_many_requests_at_once(family: Family) -> None:
    family.script(lambda request: Reply(text=f"echo {request.prompt}", chunks=3, chunk_delay_ms=1))

    async def many() -> list[ModelAnswer]:
        asked = (family.provider.complete(ask(f"p{n}", system=""), lambda _: None) for n in range(20))
        return await asyncio.gather(*asked)

    assert [answer.text for answer in family.run(many())] == [f"echo p{n}" for n in range(20)]


def test_whether_a_vendor_is_reachable_costs_nothing(family: Family) -> None:
    family.ask()
    family.server.forget()
    assert family.run(family.provider.reachable(10)) is True
    assert family.server.requests == []
    assert family.server.desk.free_requests
    try:
        for status, expected in {401: False, 403: False, 404: True, 429: False, 503: False}.items():
            family.server.desk.status = status
            assert family.run(family.provider.reachable(10)) is expected
    finally:
        family.server.desk.status = 200


def test_a_vendor_that_is_not_there_is_not_reachable(family: Family) -> None:
    with full_port() as port:
        provider = family.opened_at(port)
        assert family.run(provider.reachable(0.2)) is False
        family.run(provider.aclose())
