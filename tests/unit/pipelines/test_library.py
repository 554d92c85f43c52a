"""Pipelines, retries, fallbacks and breakers as they are used from Python."""

import threading
from typing import Any

import pytest

import orchestrator
import orchestrator.pipelines
from orchestrator.domain.breaker import CircuitState
from orchestrator.pipelines import (
    BackoffStrategy,
    CircuitBreaker,
    FallbackChain,
    InputSpec,
    Pipeline,
    PipelineStep,
    RetryStrategy,
    StepType,
    create_conditional_step,
    create_for_each_step,
    create_llm_step,
    create_parallel_group,
    create_transform_step,
    with_retry,
)
from orchestrator.pipelines.errors import StepError


class Failing:
    """Fails so many times, with the errors that it is given, then answers."""

    def __init__(self, *errors: Exception, answer: str = "ok") -> None:
        self.errors = list(errors)
        self.answer = answer
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.answer


def test_every_exported_name_is_there() -> None:
    for name in orchestrator.pipelines.__all__:
        assert getattr(orchestrator.pipelines, name) is not None
    assert orchestrator.Pipeline is Pipeline
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        orchestrator.pipelines.nothing  # noqa: B018


def test_builders_fill_in_what_is_not_said() -> None:
    step = create_llm_step("my-step", "m", "{topic}")
    assert (step.name, step.step_type, step.model, step.prompt_template) == ("my-step", StepType.LLM, "m", "{topic}")
    assert step.output_key == "my_step_output"
    assert create_llm_step("a", "m", "p", output_key="b").output_key == "b"
    assert create_llm_step("a", "m", "p", depends_on="b").depends_on == ("b",)
    assert create_llm_step("a", "m", "p", depends_on=["b", "c"]).depends_on == ("b", "c")
    assert create_transform_step("t", len).model == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"timeout_seconds": -1},
        {"max_retries": -1},
        {"temperature": 9.0},
        {"max_tokens": 0},
        {"template": "other"},
        {"output_key": "a b"},
    ],
)
def test_builders_refuse_values_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error|is not a valid"):
        create_llm_step(**{"name": "a", "model": "m", "prompt_template": "p", **wrong})


def test_a_prompt_is_rendered_with_its_mapping() -> None:
    step = create_llm_step("a", "m", "{subject} {absent}", input_mapping={"subject": "topic", "absent": "nothing"})
    assert step.render_prompt({"topic": "AI", "subject": "hidden", "absent": "own"}) == "AI own"
    with pytest.raises(StepError, match="missing variable 'absent'"):
        step.render_prompt({"topic": "AI"})


def test_steps_tell_what_is_missing() -> None:
    assert create_llm_step("a", "", "").validate() == [
        "Step 'a': model is required for LLM steps",
        "Step 'a': prompt_template is required for LLM steps",
    ]
    assert "transform_fn is required" in create_transform_step("a").validate()[0]
    assert create_parallel_group("a", []).validate() == ["Step 'a': sub_steps required for ParallelGroup steps"]
    nested = create_for_each_step("a", "x", [create_conditional_step("b", "x", [create_llm_step("c", "m", "")])])
    assert nested.validate() == ["Step 'c': prompt_template is required for LLM steps"]


def test_a_pipeline_is_built_step_by_step() -> None:
    pipeline = Pipeline("p", description="d", metadata={"a": 1}, inputs={"topic": {"type": "string"}}, budget=1.5)
    assert pipeline.add_step(create_llm_step("a", "m", "{topic}")) is pipeline
    pipeline.add_step(create_parallel_group("g", [create_llm_step("b", "m", "{topic}")]))
    assert len(pipeline) == 2
    inner = pipeline.get_step("b")
    assert isinstance(inner, PipelineStep)
    assert pipeline.get_step("z") is None
    assert pipeline.inputs["topic"] == InputSpec.model_validate({"type": "string"})
    assert pipeline.validate() == []
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline


def test_python_functions_are_not_written() -> None:
    pipeline = Pipeline("p", [create_transform_step("t", lambda context: 1)])
    assert pipeline.validate() == []
    with pytest.raises(ValueError, match=r"Python functions cannot be written \(t\)"):
        pipeline.to_yaml()


def test_delays_grow_up_to_their_limit() -> None:
    strategy = RetryStrategy()
    assert [strategy.get_delay(attempt) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    constant = RetryStrategy(backoff=BackoffStrategy.CONSTANT, base_delay_seconds=3)
    assert [constant.get_delay(attempt) for attempt in range(3)] == [3, 3, 3]


def test_retries_end_with_success_or_with_the_last_error() -> None:
    slept: list[float] = []
    failing = Failing(ValueError("1"), ValueError("2"))
    assert with_retry(failing, RetryStrategy(), sleep_fn=slept.append) == "ok"
    assert slept == [1, 2]
    with pytest.raises(ValueError, match="3"):
        with_retry(
            Failing(*(ValueError(str(n)) for n in range(9))), RetryStrategy(max_retries=3), sleep_fn=lambda _: None
        )
    failing = Failing(KeyError("other"))
    with pytest.raises(KeyError):
        with_retry(failing, RetryStrategy(retry_on=(ValueError,)), sleep_fn=slept.append)
    assert failing.calls == 1
    assert with_retry(lambda a, *, b: a + b, RetryStrategy(), 1, b=2) == 3


def test_a_chain_gives_the_first_success_and_its_name() -> None:
    chain = FallbackChain().add_option("one", Failing(ValueError("no"))).add_option("two", Failing(answer="yes"))
    assert chain.execute() == ("two", "yes")
    assert FallbackChain([("echo", lambda text: text)]).execute("x") == ("echo", "x")
    with pytest.raises(RuntimeError, match="no options configured"):
        FallbackChain().execute()
    chain = FallbackChain([("one", Failing(ValueError("no"))), ("two", Failing(KeyError("x")))])
    with pytest.raises(RuntimeError, match="All fallback options failed: one: no; two: 'x'") as raised:
        chain.execute()
    assert isinstance(raised.value.__cause__, ExceptionGroup)


def test_a_breaker_opens_lets_one_probe_through_and_closes() -> None:
    now_s = [0.0]
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout_seconds=60, time_fn=lambda: now_s[0])
    assert breaker.call(lambda: 1) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            breaker.call(Failing(ValueError("no")))
    assert breaker.state.value == "open"
    untouched = Failing()
    with pytest.raises(RuntimeError, match="Circuit breaker is OPEN after 2 consecutive failures"):
        breaker.call(untouched)
    assert untouched.calls == 0
    now_s[0] = 60.0
    assert breaker.state.value == "half_open"
    with pytest.raises(ValueError, match="no"):
        breaker.call(Failing(ValueError("no")))
    assert (breaker.state, breaker.failure_count) == (CircuitState.OPEN, 3)
    now_s[0] = 120.0
    assert breaker.call(lambda: "well") == "well"
    assert (breaker.state, breaker.failure_count) == (CircuitState.CLOSED, 0)


def test_a_success_forgets_failures_and_so_does_reset() -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            breaker.call(Failing(ValueError("no")))
        breaker.call(lambda: 1)
    assert breaker.state is CircuitState.CLOSED
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            breaker.call(Failing(ValueError("no")))
    breaker.reset()
    assert breaker.state is CircuitState.CLOSED


def test_a_half_open_breaker_admits_one_probe_of_many() -> None:
    now_s = [0.0]
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout_seconds=1, time_fn=lambda: now_s[0])
    with pytest.raises(ValueError, match="no"):
        breaker.call(Failing(ValueError("no")))
    now_s[0] = 1.0
    all_here = threading.Barrier(10, timeout=20)
    refused = threading.Semaphore(0)
    probes: list[str] = []

    def probe() -> str:
        for _ in range(9):  # the others have been refused before the probe ends
            assert refused.acquire(timeout=20)
        return "well"

    def attempt() -> None:
        all_here.wait()
        try:
            probes.append(breaker.call(probe))
        except RuntimeError:
            refused.release()

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert probes == ["well"]


def test_an_interrupted_probe_lets_another_one_through() -> None:
    now_s = [0.0]
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout_seconds=1, time_fn=lambda: now_s[0])
    with pytest.raises(ValueError, match="no"):
        breaker.call(Failing(ValueError("no")))
    now_s[0] = 1.0

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupted)
    assert breaker.call(lambda: 1) == 1
