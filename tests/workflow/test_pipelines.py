"""Pipelines as Temporal runs them: order, parallelism, attempts, money, steering, and what is left behind."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from orchestrator.client.server import ServerInfo
from orchestrator.contracts import names
from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.policy import Policy
from orchestrator.providers.base import ModelRequest, ProviderError
from orchestrator.settings import Settings
from orchestrator.testing.histories import history_bytes, largest_payload_bytes
from orchestrator.testing.scripted import Reply
from tests.workflow.harness import MODELS
from tests.workflow.pipeline_house import Cast, PipelineHouse, llm, pipeline_house, run_spec, step_of
from tests.workflow.play import BUSY, DOWN, cut_off

Opened = Callable[..., AbstractAsyncContextManager[PipelineHouse]]


@pytest.fixture
def opened(settings: Settings, server: ServerInfo) -> Opened:
    """Opens a house for a cast."""
    return partial(pipeline_house, settings, server)


def busy(times: int, vendor: str = "alpha") -> Callable[[str, ModelRequest], Reply]:
    """The vendor refuses so many requests, then answers."""
    left = [times]

    def answer(asked: str, request: ModelRequest) -> Reply:
        if asked == vendor and left[0] > 0:
            left[0] -= 1
            return BUSY
        return f"answer of {asked}"

    return answer


async def test_steps_follow_each_other(opened: Opened) -> None:
    cast = Cast()
    steps = [
        llm("research", "Research {topic}", output_key="findings"),
        llm("summarize", "Summarize {findings}", output_key="summary", depends_on=["research"]),
    ]
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": steps}, {"topic": "tides"}))
        assert await run.value(view.output) == "summarize(Summarize research(Research tides))"
        assert await run.value(view.outputs["findings"]) == "research(Research tides)"
    assert view.status is ProjectStatus.SUCCESS
    assert view.max_micro is None
    assert [step.status for step in view.steps] == ["COMPLETED", "COMPLETED"]
    first = step_of(view, "research")
    assert (first.model, first.attempts) == ("alpha:one", 1)
    assert first.prompt_preview == "Research tides"
    assert first.output_preview == "research(Research tides)"
    assert first.input_tokens == len("Research tides")
    assert first.spent_micro > 0
    assert view.output_preview.startswith("summarize(")


async def test_four_parallel_steps_take_the_time_of_one(opened: Opened) -> None:
    async def slow(vendor: str, request: ModelRequest) -> Reply:
        await asyncio.sleep(1.0)
        return request.sections["step"]

    cast = Cast(slow)
    group = {"name": "g", "step_type": "parallel_group", "sub_steps": [llm(f"s{n}") for n in range(4)]}
    async with opened(cast) as house:
        await house.play(run_spec({"steps": [llm("warm")]}))
        began_s = time.monotonic()
        run, view = await house.play(run_spec({"steps": [group]}))
        took_s = time.monotonic() - began_s
        assert await run.value(view.output) == {"s0": "s0", "s1": "s1", "s2": "s2", "s3": "s3"}
    assert cast.most_at_once == 4
    assert took_s < 2.5, took_s  # four times the time of one would be 4 s


async def test_outputs_of_a_group_are_visible_after_it(opened: Opened) -> None:
    cast = Cast()
    steps = [
        {"name": "g", "step_type": "parallel_group", "sub_steps": [llm("a", "1"), llm("b", "2")]},
        llm("both", "{a_output} {b_output}", depends_on=["g"]),
    ]
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": steps}))
        assert await run.value(view.output) == "both(a(1) b(2))"


async def test_independent_steps_run_side_by_side(opened: Opened) -> None:
    both = asyncio.Event()
    cast = Cast()

    async def meet(vendor: str, request: ModelRequest) -> Reply:
        if len(cast.asked) == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 20)
        return "met"

    cast.answer = meet
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a"), llm("b")]}))
    assert view.status is ProjectStatus.SUCCESS


async def test_a_condition_skips_a_step(opened: Opened) -> None:
    cast = Cast()
    steps = [
        llm("a", output_key="x"),
        llm("never", "{x}", condition="equals:x:something:else"),
        llm("always", "{x}", condition="contains:x:a(go)"),
    ]
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": steps}))
    assert [step.status for step in view.steps] == ["COMPLETED", "SKIPPED", "COMPLETED"]
    assert cast.steps() == ["a", "always"]


async def test_retries_wait_as_the_step_says(opened: Opened) -> None:
    cast = Cast(busy(2))
    retry = {"max_retries": 2, "backoff": "constant", "base_delay_s": 0.4}
    async with opened(cast) as house:
        began_s = time.monotonic()
        run, view = await house.play(run_spec({"steps": [llm("a", retry=retry)]}))
        took_s = time.monotonic() - began_s
        outcomes = [record.outcome for record in await run.records(view)]
        (history,) = await run.histories()
    started = [event.timer_started_event_attributes for event in history.events]
    delays_s = [timer.start_to_fire_timeout.ToTimedelta().total_seconds() for timer in started if timer.timer_id]
    assert all(0.2 < delay_s <= 0.4 for delay_s in delays_s)  # no backoff of anybody else
    assert len(delays_s) == 2
    assert view.status is ProjectStatus.SUCCESS
    assert outcomes == ["server", "server", "answer"]
    assert step_of(view, "a").attempts == 3
    assert 0.8 <= took_s < 10.0, took_s


async def test_without_retries_one_failure_is_the_end(opened: Opened) -> None:
    cast = Cast(busy(1))
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a"), llm("b", "{a_output}")]}))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "overloaded" in view.reason
    assert "Step 'a' failed" in view.reason
    assert [step.status for step in view.steps] == ["FAILED", "CANCELLED"]
    assert view.output is None
    assert cast.steps() == ["a"]


async def test_retry_on_other_kinds_only(opened: Opened) -> None:
    cast = Cast(busy(1))
    retry = {"max_retries": 3, "base_delay_s": 0.0, "retry_on": ["timeout"]}
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a", retry=retry)]}))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert len(cast.asked) == 1


async def test_fallbacks_in_their_order(opened: Opened) -> None:
    def answer(vendor: str, request: ModelRequest) -> Reply:
        return {"alpha": DOWN, "beta": BUSY}.get(vendor) or f"answer of {vendor}"

    cast = Cast(answer)
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": [llm("a", fallback=["beta", "gamma"])]}))
        assert await run.value(view.output) == "answer of gamma"
        events = await run.events(view)
    assert [vendor for vendor, _, _ in cast.asked] == ["alpha", "beta", "gamma"]
    assert step_of(view, "a").model == "gamma:one"
    assert any(event.kind == "breaker_opened" and "alpha" in event.text for event in events)


async def test_an_open_breaker_is_passed_at_once(opened: Opened) -> None:
    def answer(vendor: str, request: ModelRequest) -> Reply:
        return DOWN if vendor == "alpha" else "fine"

    cast = Cast(answer)
    chain = [llm("s0", fallback=["beta"])]
    chain += [llm(f"s{n}", f"{{s{n - 1}_output}}", fallback=["beta"]) for n in range(1, 4)]
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": chain}))
    assert view.status is ProjectStatus.SUCCESS
    assert [vendor for vendor, _, _ in cast.asked].count("alpha") == 1


async def test_a_timeout_is_enforced(opened: Opened) -> None:
    async def slow(vendor: str, request: ModelRequest) -> Reply:
        await asyncio.sleep(20)
        return "late"

    cast = Cast(slow)
    async with opened(cast) as house:
        began_s = time.monotonic()
        _, view = await house.play(run_spec({"steps": [llm("a", timeout_seconds=0.2)]}))
        took_s = time.monotonic() - began_s
    assert view.status is ProjectStatus.TIMEOUT
    assert "within 0.2 s" in view.reason
    assert took_s < 5
    assert view.uncertain_micro > 0  # nobody knows what the vendor charges


async def test_a_group_has_a_time_limit_of_its_own(opened: Opened) -> None:
    async def slow(vendor: str, request: ModelRequest) -> Reply:
        await asyncio.sleep(20)
        return "late"

    group = {"name": "g", "step_type": "parallel_group", "timeout_seconds": 0.5, "sub_steps": [llm("a"), llm("b")]}
    async with opened(Cast(slow)) as house:
        _, view = await house.play(run_spec({"steps": [group]}))
    assert view.status is ProjectStatus.TIMEOUT
    assert step_of(view, "g").status == "FAILED"


async def test_structured_output_is_shown_its_error_once(opened: Opened) -> None:
    replies = ["no json", '```json\n{"score": 3}\n```']
    cast = Cast(lambda vendor, request: replies.pop(0))
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    steps = [
        llm("rate", response_schema=schema, max_tokens=300, temperature=0.5),
        {"name": "score", "step_type": "transform", "expression": "rate_output.score + 1"},
    ]
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": steps}))
        assert await run.value(view.output) == 4
    first, second = cast.requests
    assert first.json_schema == schema
    assert (first.max_tokens, first.temperature) == (300, 0.5)
    assert "could not be used" in second.prompt
    assert step_of(view, "rate").attempts == 2


async def test_a_cut_off_answer_is_said_where_the_limit_was_asked_for(opened: Opened) -> None:
    cast = Cast(lambda vendor, request: cut_off("half an ans"))
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": [llm("a", max_tokens=20)]}))
        assert await run.value(view.output) == "half an ans"
    assert view.status is ProjectStatus.SUCCESS
    assert any("cut off" in note for note in view.notes)


async def test_without_a_limit_a_cut_off_answer_is_asked_again(opened: Opened) -> None:
    replies: list[Reply] = [cut_off("half"), "whole"]
    cast = Cast(lambda vendor, request: replies.pop(0))
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": [llm("a")]}))
        assert await run.value(view.output) == "whole"
    assert cast.requests[1].max_tokens == 2 * cast.requests[0].max_tokens


async def test_the_budget_holds(opened: Opened) -> None:
    cast = Cast()
    chain = [llm("s0", max_tokens=1000)]
    chain += [llm(f"s{n}", f"{{s{n - 1}_output}}", max_tokens=1000) for n in range(1, 40)]
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": chain}, max_micro=9_000))
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED
    assert 0 < view.spent_micro <= 9_000
    assert view.max_micro == 9_000
    assert 0 < len(cast.asked) < 40


async def test_a_policy_keeps_a_model_from_being_asked(opened: Opened) -> None:
    cast = Cast()
    policies = (Policy(name="eu", blocked_vendors=("alpha",)),)
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a", fallback=["beta"])]}, policies=policies))
        _, alone = await house.play(run_spec({"steps": [llm("a")]}, policies=policies))
    assert step_of(view, "a").model == "beta:one"
    assert all(vendor != "alpha" for vendor, _, _ in cast.asked)
    assert alone.status is ProjectStatus.SYSTEM_FAILURE
    assert "policy eu" in alone.reason


async def test_pause_and_resume(opened: Opened) -> None:
    gate = asyncio.Event()

    async def hold(vendor: str, request: ModelRequest) -> Reply:
        await gate.wait()
        return "done"

    cast = Cast(hold)
    async with opened(cast) as house:
        run = await house.start(run_spec({"steps": [llm("a"), llm("b", "{a_output}")]}))
        await cast.until(lambda: len(cast.asked) == 1)
        await run.handle.signal(names.SIGNAL_PAUSE, args=["lunch", "ann"])
        gate.set()
        view = await run.until(lambda view: view.calls == 1)
        assert view.status is ProjectStatus.PAUSED
        assert view.reason == "lunch"
        assert len(cast.asked) == 1
        await run.handle.signal(names.SIGNAL_RESUME)
        view = await run.result()
    assert view.status is ProjectStatus.SUCCESS
    assert len(cast.asked) == 2


async def test_cancel(opened: Opened) -> None:
    async def hold(vendor: str, request: ModelRequest) -> Reply:
        await asyncio.sleep(60)
        return "never"

    cast = Cast(hold)
    async with opened(cast) as house:
        run = await house.start(run_spec({"steps": [llm("a", timeout_seconds=None), llm("b", "{a_output}")]}))
        await cast.until(lambda: len(cast.asked) == 1)
        await run.handle.cancel()
        view = await run.result()
    assert view.status is ProjectStatus.CANCELLED
    assert [step.status for step in view.steps] == ["CANCELLED", "CANCELLED"]
    assert len(cast.asked) == 1


def mapped(concurrency: int = 4) -> dict[str, Any]:
    """A for_each with an llm step and a transform of its answer."""
    inner = [
        llm("one", "{item_index}:{item}"),
        {"name": "loud", "step_type": "transform", "expression": "upper(one_output)"},
    ]
    each = {"name": "each", "step_type": "for_each", "items": "words", "concurrency": concurrency, "sub_steps": inner}
    return {"inputs": {"words": {"type": "list"}}, "steps": [each]}


async def test_for_each_keeps_order_and_its_limit(opened: Opened) -> None:
    async def slow(vendor: str, request: ModelRequest) -> Reply:
        await asyncio.sleep(0.05)
        return request.prompt

    cast = Cast(slow)
    words = [f"w{n}" for n in range(12)]
    async with opened(cast) as house:
        run, view = await house.play(run_spec(mapped(3), {"words": list(words)}))
        assert await run.value(view.output) == [f"{n}:W{n}" for n in range(12)]
    assert cast.most_at_once == 3
    each = step_of(view, "each")
    assert (each.done, each.total) == (12, 12)
    assert step_of(view, "one").attempts == 12


async def test_a_run_goes_on_over_several_executions(opened: Opened) -> None:
    cast = Cast(lambda vendor, request: request.prompt)
    words = [f"w{n}" for n in range(20)]
    async with opened(cast) as house:
        spec = run_spec(mapped(), {"words": list(words)}, continue_after_events=60)
        run, view = await house.play(spec)
        assert await run.value(view.output) == [f"{n}:W{n}" for n in range(20)]
        histories = await run.histories()
    assert len(histories) > 1
    assert len(cast.asked) == 20  # nothing was asked twice


async def test_histories_carry_references(opened: Opened) -> None:
    text = "A long text. " * 4000
    cast = Cast(lambda vendor, request: text)
    chain = [llm("s0", "{start}"), *(llm(f"s{n}", f"{{s{n - 1}_output}}") for n in range(1, 6))]
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": chain}, {"start": "go"}))
        (history,) = await run.histories()
    assert view.status is ProjectStatus.SUCCESS
    assert largest_payload_bytes(history.events) < 20_000
    assert history_bytes(history.events) < 100_000
    assert all(
        "A long text. A long text. A long text. A long text. A long text. A long text. A long text. A long "
        "text. A long text. A long text. A long text. A long text. A long text. A long text. A long text. "
        "A long text. A long" not in str(event)
        for event in history.events
    )


async def test_an_expression_that_fails_fails_its_step(opened: Opened) -> None:
    steps = [llm("a"), {"name": "t", "step_type": "transform", "expression": "a_output.missing"}]
    async with opened(Cast()) as house:
        _, view = await house.play(run_spec({"steps": steps}))
    assert view.status is ProjectStatus.PARTIAL_SUCCESS
    assert "Step 't' failed" in view.reason


async def test_lost_replies_are_asked_again_and_booked(opened: Opened) -> None:
    lost = ProviderError.of(FailureKind.LOST, Fate.UNCERTAIN, "the reply was lost")
    replies: list[Reply] = [lost, "fine"]
    cast = Cast(lambda vendor, request: replies.pop(0))
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a")]}))
    assert view.status is ProjectStatus.SUCCESS
    assert view.uncertain_micro > 0


async def test_without_a_real_vendor_simulated_models_stand_in(opened: Opened) -> None:
    stand_ins = tuple(model.model_copy(update={"simulated": True}) for model in MODELS)
    unknown = {"a": ("nobody:one",)}
    cast = Cast()
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a")]}, models=stand_ins, choices=unknown))
        _, real = await house.play(run_spec({"steps": [llm("a")]}, choices=unknown))
        _, unpriced = await house.play(run_spec({"steps": [llm("a")]}, unpriced=("alpha:one",)))
        _, keyed = await house.play(run_spec({"steps": [llm("a")]}, models=stand_ins[:1], choices=unknown))
    assert unpriced.notes == ("the price of alpha:one is not known: its calls are not counted in what was spent",)
    assert keyed.status is ProjectStatus.SYSTEM_FAILURE, "another vendor has a key: nobody asked for a simulation"
    assert view.simulated
    assert view.status is ProjectStatus.SUCCESS
    assert real.status is ProjectStatus.SYSTEM_FAILURE
    assert "nobody:one" in real.reason


async def test_the_workflow_needs_nothing_that_the_sandbox_forbids(settings: Settings, server: ServerInfo) -> None:
    async with pipeline_house(settings, server, Cast(), plain=True) as house:
        _, view = await house.play(run_spec(mapped(), {"words": ["a", "b"]}, search_attributes=False))
    assert view.status is ProjectStatus.SUCCESS


async def test_after_a_failure_nobody_waits_for_a_retry(opened: Opened) -> None:
    def answer(vendor: str, request: ModelRequest) -> Reply:
        return DOWN if request.sections["step"] == "b" else BUSY

    slow = {"max_retries": 3, "base_delay_s": 60.0}
    async with opened(Cast(answer)) as house:
        began_s = time.monotonic()
        _, view = await house.play(run_spec({"steps": [llm("a", retry=slow), llm("b", model="beta")]}))
    assert time.monotonic() - began_s < 20
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "Step 'b' failed" in view.reason
    assert step_of(view, "a").status == "CANCELLED"


@pytest.mark.long
async def test_transforms_are_tried_again_and_given_up_in_time(opened: Opened) -> None:
    regex = {"input": "text", "pattern": "(a+)+$"}
    retry = {"max_retries": 1, "base_delay_s": 0.1}
    hostile = {"name": "t", "step_type": "transform", "builtin": "regex", "options": regex, "retry": retry}
    async with opened(Cast()) as house:
        run, view = await house.play(run_spec({"steps": [hostile]}, {"text": "a" * 40 + "!"}))
        events = await run.events(view)
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "Step 't' failed" in view.reason
    assert step_of(view, "t").attempts == 2
    assert any(event.kind == "task_retried" for event in events)


async def test_a_prompt_larger_than_what_was_reserved_is_reserved_again(opened: Opened) -> None:
    prompt = "{% for n in numbers %}{{ text }}{% endfor %}"
    async with opened(Cast(lambda vendor, request: str(len(request.prompt)))) as house:
        run, view = await house.play(
            run_spec(
                {"steps": [llm("a", prompt, template="jinja")]},
                {"text": "x" * 100, "numbers": [0] * 50},
                max_micro=1_000_000,
            )
        )
        assert await run.value(view.output) == "5000"
    assert view.status is ProjectStatus.SUCCESS
    assert view.spent_micro >= 5000


async def test_a_prompt_that_cannot_be_made_costs_nothing(opened: Opened) -> None:
    cast = Cast()
    broken = llm("a", "{{ 1 / n }}", template="jinja", fallback=["beta"])
    async with opened(cast) as house:
        run, view = await house.play(run_spec({"steps": [broken]}, {"n": 0}))
        outcomes = [record.outcome for record in await run.records(view)]
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "division by zero" in view.reason
    assert outcomes == ["bad_request", "bad_request"]
    assert (view.spent_micro, view.uncertain_micro) == (0, 0)
    assert cast.asked == []


async def test_an_ended_run_goes_on_where_it_stopped(opened: Opened) -> None:
    ill = True

    def answer(vendor: str, request: ModelRequest) -> Reply:
        return DOWN if ill and request.prompt in ("b", "3:w3") else request.prompt

    cast = Cast(answer)
    each = {**mapped(1)["steps"][0], "depends_on": ["a"]}
    steps = [llm("a", "a"), each, llm("b", "b", depends_on=["each"]), llm("c", "{b_output}")]
    spec = run_spec({"steps": steps}, {"words": [f"w{n}" for n in range(5)]})
    async with opened(cast) as house:
        ended = await (await house.start(spec)).result()
        assert ended.status is ProjectStatus.PARTIAL_SUCCESS
        asked, ill = len(cast.asked), False
        run = await house.resume(spec)
        view = await run.result()
        assert await run.value(view.outputs["each_output"]) == [f"{n}:W{n}" for n in range(5)]
        assert await run.value(view.output) == "b"
        events = await run.events(view)
    assert view.status is ProjectStatus.SUCCESS
    assert view.spent_micro > ended.spent_micro
    assert [prompt for _, _, prompt in cast.asked[asked:]] == ["3:w3", "4:w4", "b", "b"]
    assert [event.kind for event in events].count("restarted") == 1


async def test_a_cancelled_run_goes_on(opened: Opened) -> None:
    gate = asyncio.Event()

    async def hold(vendor: str, request: ModelRequest) -> Reply:
        if request.sections["step"] == "b":
            await gate.wait()
        return request.sections["step"]

    cast = Cast(hold)
    group = {"name": "g", "step_type": "parallel_group", "sub_steps": [llm("a"), llm("b", timeout_seconds=None)]}
    spec = run_spec({"steps": [group, llm("c", "{a_output}{b_output}", depends_on=["g"])]})
    async with opened(cast) as house:
        run = await house.start(spec)
        await run.until(lambda view: step_of(view, "a").status == "COMPLETED" and len(cast.asked) == 2)
        await run.handle.cancel()
        assert (await run.result()).status is ProjectStatus.CANCELLED
        gate.set()
        run = await house.resume(spec)
        view = await run.result()
        assert await run.value(view.outputs["g_output"]) == {"a": "a", "b": "b"}
    assert view.status is ProjectStatus.SUCCESS
    assert cast.steps() == ["a", "b", "b", "c"]


async def test_a_failed_step_keeps_its_model_and_its_tokens(opened: Opened) -> None:
    cast = Cast(lambda vendor, request: "this is no JSON")
    schema = {"type": "object"}
    async with opened(cast) as house:
        _, view = await house.play(run_spec({"steps": [llm("a", "say it", response_schema=schema)]}))
    failed = step_of(view, "a")
    assert (failed.status, failed.model, failed.attempts) == ("FAILED", "alpha:one", 2)
    assert failed.input_tokens >= len("say it")
    assert failed.spent_micro == view.spent_micro > 0
    assert failed.reason
