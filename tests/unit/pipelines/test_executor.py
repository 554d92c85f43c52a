"""Runs in this process. The first tests are the weaknesses of the tool that this one replaces."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from orchestrator.domain.errors import CallFailure, FailureKind, Fate, UserInputError, UserInputErrors
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.pipelines import (
    AsyncPipelineExecutor,
    Pipeline,
    PipelineExecutor,
    PipelineStep,
    RetryPolicy,
    RetryStrategy,
    StepResult,
    create_conditional_step,
    create_for_each_step,
    create_llm_step,
    create_parallel_group,
    create_transform_step,
)
from orchestrator.pipelines.results import PipelineResult
from orchestrator.providers.base import ProviderError

CHEAP = "gemini-2.5-flash-lite"  # has a price in the catalog


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now_s += seconds
        await asyncio.sleep(0)


class Model:
    """Answers as its script says, by model; counts what it is asked."""

    def __init__(self, **answers: list[str | Exception]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, model: str, prompt: str, context: dict[str, Any]) -> str:
        self.asked.append((model, prompt))
        script = self.answers.get(model, [f"{model} says {prompt}"])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def failure(kind: FailureKind, retry_after_s: float | None = None) -> ProviderError:
    return ProviderError(
        CallFailure(kind=kind, fate=Fate.UNBILLED, message=f"it was {kind.value}", retry_after_s=retry_after_s)
    )


def run(pipeline: Pipeline, model: Any = None, inputs: dict[str, Any] | None = None, **options: Any) -> PipelineResult:
    return PipelineExecutor(model, **options).execute(pipeline, inputs or {"topic": "x"})


def ask(name: str, prompt: str = "{topic}", model: str = "m", **fields: Any) -> PipelineStep:
    return create_llm_step(name, model, prompt, **fields)


def outcomes(result: PipelineResult) -> dict[str, str]:
    return {step.step_name: step.status.value for step in result.steps_results}


class Meeting:
    """Lets callers through only when so many are there at the same time."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=20)

    def __call__(self, model: str, prompt: str, context: dict[str, Any]) -> str:
        self.barrier.wait()
        return prompt


@pytest.mark.parametrize("inside_a_loop", [False, True])
def test_a_parallel_group_is_parallel_with_plain_functions(inside_a_loop: bool) -> None:
    group = create_parallel_group("g", [ask(f"s{number}", f"{number} {{topic}}") for number in range(4)])
    pipeline = Pipeline("p", [group, ask("after", "{s3_output}", condition="key_exists:s3_output")])

    class First4(Meeting):
        def __call__(self, model: str, prompt: str, context: dict[str, Any]) -> str:
            return prompt if prompt == "3 x" and "s3_output" in context else super().__call__(model, prompt, context)

    async def within() -> PipelineResult:
        return run(pipeline, First4(4))

    result = asyncio.run(within()) if inside_a_loop else run(pipeline, First4(4))
    assert result.success, result.error
    assert result.outputs["g_output"] == {f"s{number}": f"{number} x" for number in range(4)}
    assert result.outputs["s3_output"] == "3 x", "sub-steps give their own variables too"
    assert result.final_output == "3 x"


def test_a_parallel_group_is_parallel_with_async_functions() -> None:
    async def meet() -> PipelineResult:
        arrived = asyncio.Event()
        count = 0

        async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
            nonlocal count
            count += 1
            if count == 4:
                arrived.set()
            await arrived.wait()
            return prompt

        pipeline = Pipeline("p", [create_parallel_group("g", [ask(f"s{number}") for number in range(4)])])
        return await AsyncPipelineExecutor(answer).execute(pipeline, {"topic": "x"})

    assert asyncio.run(meet()).success


def test_four_steps_of_200_ms_take_about_200_ms() -> None:
    async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        await asyncio.sleep(0.2)
        return prompt

    result = run(Pipeline("p", [ask(f"s{number}") for number in range(4)]), answer)
    assert result.success
    assert 200 <= result.total_latency_ms < 600


def test_a_timeout_is_kept_with_async_and_with_plain_functions() -> None:
    released = threading.Event()

    async def slow(model: str, prompt: str, context: dict[str, Any]) -> str:
        await asyncio.sleep(60)
        return "late"

    def blocking(model: str, prompt: str, context: dict[str, Any]) -> str:
        released.wait(60)
        return "late"

    pipeline = Pipeline("p", [ask("a", timeout_seconds=0.05)])
    functions: tuple[Callable[..., object], ...] = (slow, blocking)
    for function in functions:
        result = run(pipeline, function)
        assert result.status is ProjectStatus.TIMEOUT
        assert result.error == "Step 'a' failed: m: no answer within 0.05 s"
    released.set()


def test_a_transform_has_a_timeout_and_retries_too() -> None:
    released = threading.Event()
    calls: list[int] = []

    def transform(context: dict[str, Any]) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("not yet")
        if len(calls) == 2:
            released.wait(60)
        return "done"

    step = create_transform_step("t", transform, timeout_seconds=0.1, max_retries=2)
    result = run(Pipeline("p", [step]))
    released.set()
    assert result.final_output == "done"
    assert result.steps_results[0].attempts == 3


@pytest.mark.parametrize("executor", ["step", "executor"])
def test_retries_wait_as_they_are_told_to(executor: str) -> None:
    model, clock = Model(m=[*[failure(FailureKind.SERVER)] * 3, "at last"]), Time()
    policy = RetryPolicy(max_retries=3, base_delay_s=0.1)
    strategy = RetryStrategy(max_retries=3, base_delay_seconds=0.1)
    step = ask("a", retry=policy) if executor == "step" else ask("a")
    given: dict[str, Any] = {} if executor == "step" else {"retry_strategy": strategy}
    result = run(Pipeline("p", [step]), model, clock=clock.clock, sleep=clock.sleep, **given)
    assert result.final_output == "at last"
    assert clock.slept == [0.1, 0.2, 0.4]
    assert result.steps_results[0].attempts == 4


def test_a_vendor_that_asks_for_a_longer_wait_gets_it() -> None:
    model, clock = Model(m=[failure(FailureKind.RATE_LIMIT, 7.0), "at last"]), Time()
    result = run(Pipeline("p", [ask("a", max_retries=1)]), model, clock=clock.clock, sleep=clock.sleep)
    assert result.success
    assert clock.slept == [7.0]


def test_what_cannot_pass_is_not_tried_again() -> None:
    model = Model(m=[failure(FailureKind.AUTH)])
    result = run(Pipeline("p", [ask("a", max_retries=3)]), model)
    assert len(model.asked) == 1
    assert result.error == "Step 'a' failed: m: it was auth"
    only_values = RetryStrategy(max_retries=3, retry_on=(ValueError,))
    model = Model(m=[KeyError("no")])
    assert not run(Pipeline("p", [ask("a")]), model, retry_strategy=only_values).success
    assert len(model.asked) == 1


def test_fallbacks_are_asked_in_their_order() -> None:
    model = Model(m=[failure(FailureKind.SERVER)], second=[failure(FailureKind.BAD_REQUEST)], third=["here"])
    result = run(Pipeline("p", [ask("a", fallback=["second", "third"])]), model)
    assert [name for name, _ in model.asked] == ["m", "second", "third"]
    assert result.final_output == "here"
    assert result.steps_results[0].model_used == "third"


def test_an_open_circuit_is_passed_at_once() -> None:
    model = Model(m=[failure(FailureKind.AUTH)], other=["here"])
    steps = [ask("a", fallback="other"), ask("b", fallback="other", depends_on="a")]
    result = run(Pipeline("p", steps), model)
    assert result.success
    assert [name for name, _ in model.asked] == ["m", "other", "other"]


def test_elements_wait_for_the_end_of_an_outage() -> None:
    model, clock = Model(m=[*[failure(FailureKind.SERVER)] * 6, "well again"]), Time()
    loop = create_for_each_step("e", "range(6)", [ask("a", "{item}", max_retries=4)], concurrency=6)
    result = run(Pipeline("p", [loop]), model, clock=clock.clock, sleep=clock.sleep)
    assert result.success, result.error
    assert result.final_output == ["well again"] * 6


def test_depends_on_decides_the_order() -> None:
    model = Model()
    pipeline = Pipeline("p", [ask("late", "late {topic}", depends_on="early"), ask("early", "early {topic}")])
    assert run(pipeline, model).success
    assert [prompt for _, prompt in model.asked] == ["early x", "late x"]


def test_an_invalid_pipeline_does_not_run() -> None:
    model = Model()
    pipeline = Pipeline("", [ask("a", "{a_output}"), ask("a", depends_on="nobody")])
    with pytest.raises(UserInputErrors) as raised:
        run(pipeline, model)
    assert raised.value.problems == tuple(pipeline.validate())
    assert len(pipeline.validate()) == 5
    with pytest.raises(UserInputError, match="at least one step"):
        run(Pipeline("p"), model)
    with pytest.raises(UserInputError, match="input 'topic': is missing"):
        PipelineExecutor(model).execute(Pipeline("p", [ask("a")]))
    assert not model.asked


def test_skipped_steps_are_no_successful_steps() -> None:
    result = run(Pipeline("p", [ask("a", condition="equals:topic:y"), ask("b", depends_on="a")]), Model())
    assert [step.step_name for step in result.successful_steps] == ["b"]
    assert [step.step_name for step in result.skipped_steps] == ["a"]
    assert result.skipped_steps[0].success


def test_a_failed_step_keeps_its_model_and_its_tokens() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    model = Model(m=["no json at all, whatever you say to me again and again"])
    result = run(Pipeline("p", [ask("a", response_schema=schema)]), model)
    (step,) = result.failed_steps
    assert (step.model_used, step.attempts) == ("m", 2)
    assert step.tokens_used > 20
    assert "could not be used" in model.asked[1][1]


def test_the_body_of_a_conditional_runs_and_gives_its_output() -> None:
    def pipeline() -> Pipeline:
        body = [ask("a", "first {topic}"), ask("b", "then {a_output}")]
        return Pipeline("p", [create_conditional_step("if", "topic == 'x'", body), ask("c", "{if_output}")])

    result = run(pipeline(), Model())
    assert result.outputs["if_output"] == "m says then m says first x"
    assert outcomes(result) == dict.fromkeys(("if/a", "if/b", "if", "c"), "COMPLETED")
    assert outcomes(run(pipeline(), Model(), {"topic": "y"})) == {"if": "SKIPPED", "c": "SKIPPED"}


def test_elements_of_a_list() -> None:
    inner = [create_transform_step("t", expression="item * 10 + item_index"), ask("a", "{t_output}")]
    pipeline = Pipeline("p", [create_for_each_step("e", "topic", inner, concurrency=2)])
    result = run(pipeline, Model(), {"topic": [1, 2, 3]})
    assert result.final_output == ["m says 10", "m says 21", "m says 32"]
    assert result.step("e[2]/a") is not None
    assert run(pipeline, Model(), {"topic": []}).final_output == []
    assert run(pipeline, Model(), {"topic": "text"}).error.startswith("Step 'e' failed: items: a list is expected")


def test_no_more_elements_at_a_time_than_allowed() -> None:
    active: list[int] = [0, 0]

    async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        active[0] += 1
        active[1] = max(active)
        await asyncio.sleep(0.001)
        active[0] -= 1
        return prompt

    loop = create_for_each_step("e", "range(500)", [ask("a", "{item}")], concurrency=7)
    result = run(Pipeline("p", [loop]), answer)
    assert result.final_output == [str(number) for number in range(500)]
    assert active == [0, 7]


def test_a_pipeline_of_200_steps() -> None:
    steps = [ask("s0"), *(ask(f"s{number}", f"{{s{number - 1}_output}}") for number in range(1, 200))]
    assert run(Pipeline("p", steps), Model()).success


def test_the_first_failure_ends_the_run_and_what_was_begun_ends_first() -> None:
    async def play() -> PipelineResult:
        begun = asyncio.Event()

        async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
            if model == "bad":
                await begun.wait()
                raise failure(FailureKind.BAD_REQUEST)
            begun.set()
            await asyncio.sleep(0.05)
            return "done"

        steps = [ask("a", model="bad"), ask("b"), ask("c", "{b_output}")]
        return await AsyncPipelineExecutor(answer).execute(Pipeline("p", steps), {"topic": "x"})

    result = asyncio.run(play())
    assert result.status is ProjectStatus.PARTIAL_SUCCESS
    assert outcomes(result) == {"a": "FAILED", "b": "COMPLETED", "c": "CANCELLED"}
    assert result.error == "Step 'a' failed: bad: it was bad_request"


def test_after_a_failure_nothing_is_tried_again() -> None:
    model, clock = Model(bad=[failure(FailureKind.BAD_REQUEST)], m=[failure(FailureKind.SERVER)]), Time()
    steps = [ask("a", model="bad"), ask("b", max_retries=9)]
    assert not run(Pipeline("p", steps), model, clock=clock.clock, sleep=clock.sleep).success
    assert len(model.asked) <= 3


def test_after_a_failure_nobody_waits_for_money() -> None:
    asked: list[str] = []

    async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        asked.append(prompt)
        await asyncio.sleep(0.01)
        raise failure(FailureKind.BAD_REQUEST)

    steps = [ask("a", "first", CHEAP, max_tokens=1500), ask("b", "second", CHEAP, max_tokens=1250)]
    result = run(Pipeline("p", steps, budget=0.001), answer)
    assert outcomes(result) == {"a": "FAILED", "b": "CANCELLED"}
    assert asked == ["first"]


def test_a_group_that_is_out_of_time_fails_and_its_calls_are_cancelled() -> None:
    cancelled: list[str] = []

    async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(prompt)
            raise
        return prompt

    group = create_parallel_group("g", [ask("a", "1"), ask("b", "2")], timeout_seconds=0.05)
    result = run(Pipeline("p", [group]), answer)
    assert result.status is ProjectStatus.TIMEOUT
    assert sorted(cancelled) == ["1", "2"]
    assert result.total_latency_ms < 20_000
    assert result.error == "Step 'g' failed: not done within 0.05 s"


def test_the_budget_holds() -> None:
    steps = [ask(f"s{number}", "word " * 1000, CHEAP, max_tokens=100) for number in range(8)]
    result = run(Pipeline("p", steps, budget=0.002), Model())
    assert result.status is ProjectStatus.BUDGET_EXHAUSTED
    assert 0 < result.total_cost <= 0.002
    assert result.successful_steps
    refused = run(Pipeline("p", [ask("a", model="nobody knows it")], budget=1), Model())
    assert "no model here, or has no key or no price" in refused.error


def test_calls_wait_for_each_other_under_a_tight_budget() -> None:
    pipeline = Pipeline("p", [ask(f"s{n}", f"{n}", CHEAP, max_tokens=1000) for n in range(20)], budget=0.0006)
    assert run(pipeline, Model()).success


def test_who_waits_for_money_is_not_overtaken() -> None:
    asked: list[str] = []

    async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        asked.append(prompt)
        await asyncio.sleep(0.02)
        return "done"

    shares = {"first": 1500, "large": 1250, "small": 250}  # the first two do not fit together
    steps = [ask(name, name, CHEAP, max_tokens=tokens) for name, tokens in shares.items()]
    assert run(Pipeline("p", steps, budget=0.001), answer).success
    assert asked == ["first", "large", "small"]


def test_the_mock_answers_and_tells_what_it_would_cost() -> None:
    pipeline = Pipeline("p", [ask("a", "Analyze:\n{topic} " + "long " * 30, CHEAP)])
    result = PipelineExecutor().execute(pipeline, {"topic": "x"})
    assert result.final_output == f"[Mock {CHEAP} response] Processed: '{('Analyze: x ' + 'long ' * 30)[:80]}...'"
    assert result.total_cost > 0
    assert run(Pipeline("p", [ask("a")])).total_cost == 0
    assert run(Pipeline("p", [ask("a")])).total_tokens >= 10


def test_the_mock_follows_a_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    result = run(Pipeline("p", [ask("a", response_schema=schema), ask("b", "{{ a_output.n }}", template="jinja")]))
    assert result.outputs["a_output"] == {"n": 3}
    assert "Processed: '3'" in str(result.final_output)


def test_a_function_may_give_json_and_nothing_else() -> None:
    def transforms(value: Any) -> PipelineResult:
        return run(Pipeline("p", [create_transform_step("t", lambda context: value)]))

    assert transforms({"a": [1, None]}).final_output == {"a": [1, None]}
    assert transforms({1, 2}).error.startswith("Step 't' failed: the output is no JSON value")
    with_number = run(Pipeline("p", [ask("a")]), lambda model, prompt, context: 7)
    assert with_number.error == "Step 'a' failed: m: the model function gave int, not a text"


def test_functions_cannot_change_what_others_see() -> None:
    def spoil(context: dict[str, Any]) -> str:
        context["topic"].append("spoilt")
        return "done"

    pipeline = Pipeline("p", [create_transform_step("t", spoil), ask("a", "{topic}", depends_on="t")])
    result = run(pipeline, Model(), {"topic": ["x"]})
    assert result.outputs["topic"] == ["x"]


def test_values_are_not_read_as_templates() -> None:
    model = Model(m=["{topic} {{ topic }}", "last"])
    run(Pipeline("p", [ask("a"), ask("b", "<{a_output}>"), ask("c", "<{{ a_output }}>", template="jinja")]), model)
    assert {prompt for _, prompt in model.asked[1:]} == {"<{topic} {{ topic }}>"}


def test_callbacks_hear_of_every_step_skipped_ones_included() -> None:
    begun: list[str] = []
    ended: list[tuple[str, str]] = []

    def on_end(step: PipelineStep, result: StepResult) -> None:
        ended.append((step.name, result.status.value))

    pipeline = Pipeline("p", [ask("a"), ask("b", condition="equals:topic:y"), ask("c", depends_on=["a", "b"])])
    executor = PipelineExecutor(Model(), on_step_start=lambda step: begun.append(step.name), on_step_end=on_end)
    executor.execute(pipeline, {"topic": "x"})
    assert begun == ["a", "b", "c"]
    assert sorted(ended) == [("a", "COMPLETED"), ("b", "SKIPPED"), ("c", "COMPLETED")]


def test_an_executor_serves_many_runs_at_once() -> None:
    async def many() -> list[PipelineResult]:
        executor = AsyncPipelineExecutor(Model())
        pipeline = Pipeline("p", [ask("a"), ask("b", "{a_output}")])
        return await asyncio.gather(*(executor.execute(pipeline, {"topic": str(n)}) for n in range(20)))

    results = asyncio.run(many())
    assert [result.final_output for result in results] == [f"m says m says {n}" for n in range(20)]


def test_a_cancelled_run_leaves_nothing_behind() -> None:
    async def play() -> int:
        started = asyncio.Event()

        async def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
            started.set()
            await asyncio.sleep(60)
            return prompt

        task = asyncio.create_task(AsyncPipelineExecutor(answer).execute(Pipeline("p", [ask("a")]), {"topic": "x"}))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(play()) == 1


def test_simulated_models_answer_where_vendors_are_asked() -> None:
    pipeline = Pipeline("p", [ask("a", model="sim-north:north-mini"), ask("b", model="gemini-flash")])
    result = PipelineExecutor.with_vendors().execute(Pipeline("p", pipeline.steps[:1]), {"topic": "x"})
    assert result.success, result.error
    assert result.total_tokens > 0
    result = PipelineExecutor.with_vendors().execute(Pipeline("p", pipeline.steps[1:]), {"topic": "x"})
    assert "nobody can be asked for 'gemini-flash'" in result.error
    with pytest.raises(UserInputError, match="unknown model 'gemini-flsh'; did you mean 'gemini-flash'"):
        PipelineExecutor.with_vendors().execute(Pipeline("p", [ask("a", model="gemini-flsh")]), {"topic": "x"})


def test_what_is_around_a_call_is_around_a_function_in_its_thread() -> None:
    variable = ContextVar("variable", default="outside")

    def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
        return variable.get()

    async def play() -> PipelineResult:
        variable.set("inside")
        return await AsyncPipelineExecutor(answer).execute(Pipeline("p", [ask("a")]), {"topic": "x"})

    assert asyncio.run(play()).final_output == "inside"


def test_results_are_json() -> None:
    result = run(Pipeline("p", [ask("a")]), Model())
    as_dict = result.to_dict()
    assert as_dict["success"]
    assert as_dict["steps_results"][0]["step_name"] == "a"
    assert abs(result.started_s - time.time()) < 60
