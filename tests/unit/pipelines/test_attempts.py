"""Whom a step asks next, and when."""

import pytest

from orchestrator.domain.breaker import Breakers, CircuitState
from orchestrator.domain.calls import GiveUp, Send, WaitUntil
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.pipeline import LlmStep, RetryPolicy
from orchestrator.domain.pipeline_attempts import Attempts, after_attempt, limits_of, next_attempt

PRICE = PriceTier(input_micro=1_000_000, cached_input_micro=1_000_000, output_micro=1_000_000)
A, B = (
    ModelSpec(id=f"{v}:m", vendor=v, model="m", prices=(PRICE,), context_tokens=100_000, max_output_tokens=8000)
    for v in ("a", "b")
)


class Run:
    """Plays requests of one step against circuits that are shared with others."""

    def __init__(self, step: LlmStep, *models: ModelSpec, breakers: Breakers | None = None) -> None:
        self.step, self.models = step, models
        self.attempts = Attempts()
        self.breakers = breakers or Breakers()
        self.now_s = 0.0

    def next(self, max_micro: int = 10**9) -> Send | WaitUntil | GiveUp:
        self.attempts, choice = next_attempt(
            self.attempts,
            self.step,
            self.models,
            limits_of(self.step, 100),
            Ledger(max_micro=max_micro),
            self.breakers,
            self.now_s,
        )
        assert isinstance(choice, Send | WaitUntil | GiveUp)
        return choice

    def fail(self, kind: FailureKind = FailureKind.SERVER) -> None:
        """The next request leaves, after whatever wait, and fails."""
        choice = self.next()
        while isinstance(choice, WaitUntil):
            self.now_s = choice.time_s
            choice = self.next()
        assert isinstance(choice, Send), choice
        failure = CallFailure(kind=kind, fate=Fate.UNBILLED, message="no", retry_after_s=0.0)
        self.breakers = self.breakers.on_send(choice.model)
        self.breakers = self.breakers.on_failure(choice.model, kind, self.now_s, 0.0, "no")
        self.attempts = after_attempt(self.attempts, self.step, choice, failure, self.now_s)


def step(**fields: object) -> LlmStep:
    return LlmStep.model_validate({"name": "s", "model": "m", "prompt": "p", **fields})


def retries(count: int, **fields: object) -> LlmStep:
    return step(retry=RetryPolicy.model_validate({"max_retries": count, **fields}))


def test_without_retries_the_next_model_is_asked_at_once() -> None:
    run = Run(step(), A, B)
    run.fail()
    choice = run.next()
    assert isinstance(choice, Send)
    assert choice.model == B


def test_each_model_has_its_retries() -> None:
    run = Run(retries(2), A, B)
    for _ in range(3):
        run.fail()
    choice = run.next()
    assert isinstance(choice, Send)
    assert choice.model == B
    assert run.attempts.retries == 0
    for _ in range(3):
        run.fail()
    assert run.next() == GiveUp(reason="b:m: no")


def test_delays_are_those_of_the_step_even_where_its_failures_open_the_circuit() -> None:
    run = Run(retries(4), A)
    times = []
    for _ in range(5):
        run.fail()
        times.append(run.now_s)
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert run.breakers.circuit("a").state is CircuitState.OPEN
    assert isinstance(run.next(), GiveUp)


def test_a_retry_does_not_go_beside_the_probe_of_another() -> None:
    run = Run(retries(4), A)
    for _ in range(3):
        run.fail()
    run.breakers = run.breakers.on_send(A)
    run.now_s = 100.0
    assert isinstance(run.next(), WaitUntil)


def test_a_first_request_passes_an_open_circuit_over() -> None:
    broken = Breakers().on_failure(A, FailureKind.AUTH, 0.0, 0.0, "no")
    choice = Run(step(), A, B, breakers=broken).next()
    assert isinstance(choice, Send)
    assert choice.model == B
    alone = Run(step(), A, breakers=broken)
    assert isinstance(alone.next(), GiveUp)


def test_where_nobody_is_left_a_retry_waits_for_the_end_of_the_outage() -> None:
    broken = Breakers().on_failure(A, FailureKind.AUTH, 0.0, 0.0, "no")
    run = Run(retries(1), A, breakers=broken)
    assert run.next() == WaitUntil(time_s=30.0)
    run.now_s = 30.0
    assert isinstance(run.next(), Send)


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.BAD_REQUEST, FailureKind.REFUSED])
def test_what_cannot_pass_is_no_matter_of_retries(kind: FailureKind) -> None:
    run = Run(retries(5), A, B)
    run.fail(kind)
    choice = run.next()
    assert isinstance(choice, Send)
    assert choice.model == B


def test_retry_on_names_what_is_tried_again() -> None:
    run = Run(retries(5, retry_on=["refused"]), A, B)
    run.fail(FailureKind.REFUSED)
    assert run.next() == WaitUntil(time_s=1.0)
    run.fail(FailureKind.SERVER)
    choice = run.next()
    assert isinstance(choice, Send)
    assert choice.model == B


def test_a_stated_limit_is_never_lowered_and_an_unstated_one_may_be() -> None:
    few = 1000
    assert isinstance(Run(step(max_tokens=4000), A).next(max_micro=few), GiveUp)
    choice = Run(step(), A).next(max_micro=few)
    assert isinstance(choice, Send)
    assert choice.max_tokens < 4096
