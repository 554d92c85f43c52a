"""What happens to failures: the next provider, another try after a backoff, an open circuit, one error for all."""

import asyncio
import builtins
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.providers import (
    AllProvidersFailedError,
    AuthenticationError,
    GenerationParams,
    InvalidRequestError,
    ProviderError,
    RateLimitError,
    TimeoutError,
)
from orchestrator.router import HealthStatus, Router
from tests.router.stand_ins import Clock, Told, router_over


def busy(retry_after_s: float) -> RateLimitError:
    return RateLimitError(
        CallFailure(
            kind=FailureKind.RATE_LIMIT, fate=Fate.UNBILLED, message="busy", status=429, retry_after_s=retry_after_s
        )
    )


def failure_of(router: Router) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asyncio.run(router.route("x"))
    return caught.value


def test_without_a_provider_there_is_no_answer() -> None:
    assert str(failure_of(Router())) == "No providers registered"


def test_a_failed_provider_is_followed_by_the_next_at_once() -> None:
    clock = Clock()
    router = router_over(clock, [Told("a", TimeoutError("slow")), Told("b")])
    assert asyncio.run(router.route("x")) == "b"
    assert clock.slept == []


def test_prompt_and_parameters_reach_every_provider_that_is_asked() -> None:
    told = [Told("a", TimeoutError("slow")), Told("b")]
    params = GenerationParams(max_tokens=7)
    asyncio.run(router_over(Clock(), told).route("a prompt", params))
    assert [each.asked for each in told] == [[("a prompt", params)]] * 2


@pytest.mark.parametrize("error", [TimeoutError("t"), RateLimitError("r"), ProviderError("s")])
def test_a_passing_failure_is_tried_again_after_a_growing_backoff(error: ProviderError) -> None:
    clock = Clock()
    told = Told("a", error, error, "at last")
    assert asyncio.run(router_over(clock, [told]).route("x")) == "at last"
    assert clock.slept == [0.5, 1.0]
    assert len(told.asked) == 3


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (2, 3), (10, 3)])
def test_retries_are_limited_by_the_configuration_and_by_the_breaker(retries: int, requests: int) -> None:
    told = Told("a", ProviderError("down"), retries=retries)
    failure_of(router_over(Clock(), [told]))
    assert len(told.asked) == requests


def test_the_vendors_wish_is_granted_up_to_half_a_minute() -> None:
    clock = Clock()
    assert asyncio.run(router_over(clock, [Told("a", busy(7), "ok")]).route("x")) == "ok"
    assert clock.slept == [7]
    clock = Clock()
    router = router_over(clock, [Told("a", busy(31), "ok")])
    assert isinstance(failure_of(router), RateLimitError)
    assert str(failure_of(router)) == "not asked for another 31 s; last: busy"
    assert clock.slept == []


def test_a_provider_that_asked_for_a_wait_is_passed_over_by_other_requests() -> None:
    told = [Told("a", busy(20), "a"), Told("b")]
    clock = Clock()
    router = router_over(clock, told)

    async def some() -> list[str]:
        return [await router.route("x") for _ in range(4)]

    assert asyncio.run(some()) == ["b"] * 4
    assert clock.slept == []


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.BILLING, FailureKind.NOT_FOUND])
def test_a_permanent_failure_opens_the_circuit_at_once_until_the_cooldown_is_over(kind: FailureKind) -> None:
    clock = Clock()
    broken = Told("a", ProviderError.of(kind, Fate.UNBILLED, "no"), "mended")
    router = router_over(clock, [broken, Told("b")], "cheapest")

    async def asked(times: int) -> list[str]:
        return [await router.route("x") for _ in range(times)]

    assert asyncio.run(asked(4)) == ["b"] * 4
    assert len(broken.asked) == 1
    assert router.get_metrics()["a"].health_status is HealthStatus.UNHEALTHY
    clock.now_s += 30
    assert asyncio.run(asked(2)) == ["mended", "mended"]
    assert router.get_metrics()["a"].health_status is HealthStatus.HEALTHY


def test_half_open_lets_one_probe_through() -> None:
    async def probed() -> None:
        clock = Clock()
        told = Told("a", AuthenticationError("no"), "ok")
        router = router_over(clock, [told])
        with pytest.raises(AuthenticationError):
            await router.route("x")
        clock.now_s += 30
        told.gate = asyncio.Event()
        first = asyncio.create_task(router.route("x"))
        await told.called(asked=2)
        refused = await asyncio.gather(*(router.route("x") for _ in range(9)), return_exceptions=True)
        assert {type(error) for error in refused} == {AuthenticationError}
        told.gate.set()
        assert await first == "ok"
        assert len(told.asked) == 2
        assert await router.route("x") == "ok"

    asyncio.run(asyncio.wait_for(probed(), 10))


def test_a_probe_that_is_cancelled_leaves_the_next_one_its_turn() -> None:
    async def probed() -> None:
        clock = Clock()
        told = Told("a", AuthenticationError("no"), "ok")
        router = router_over(clock, [told])
        with pytest.raises(AuthenticationError):
            await router.route("x")
        clock.now_s += 30
        told.gate = asyncio.Event()
        probe = asyncio.create_task(router.route("x"))
        await told.called(asked=2)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        told.gate.set()
        assert await router.route("x") == "ok"
        metrics = router.get_metrics()["a"]
        assert (metrics.abandoned_requests, metrics.failed_requests, metrics.successful_requests) == (1, 1, 1)

    asyncio.run(asyncio.wait_for(probed(), 10))


def test_an_open_circuit_answers_with_its_last_error_and_asks_nobody() -> None:
    told = Told("a", AuthenticationError("wrong key"))
    router = router_over(Clock(), [told])
    assert str(failure_of(router)) == "wrong key"
    again = failure_of(router)
    assert isinstance(again, AuthenticationError)
    assert str(again) == "not asked for another 30 s; last: wrong key"
    assert again.failure.retry_after_s == 30
    assert len(told.asked) == 1


def test_the_requests_own_fault_is_raised_and_nobody_else_is_asked() -> None:
    other = Told("b")
    router = router_over(Clock(), [Told("a", InvalidRequestError("max_tokens is negative")), other])
    error = failure_of(router)
    assert type(error) is InvalidRequestError
    assert str(error) == "max_tokens is negative"
    assert other.asked == []
    assert failure_of(router_over(Clock(), [Told("a", error)])) is error


@pytest.mark.parametrize(
    "kind", [FailureKind.NOT_FOUND, FailureKind.CONTEXT_TOO_LONG, FailureKind.REFUSED, FailureKind.FILTERED]
)
def test_what_another_model_may_do_is_asked_of_the_next(kind: FailureKind) -> None:
    first = Told("a", ProviderError.of(kind, Fate.UNBILLED, "not here"))
    assert asyncio.run(router_over(Clock(), [first, Told("b")]).route("x")) == "b"
    assert len(first.asked) == 1
    alone = Told("a", ProviderError.of(kind, Fate.UNBILLED, "not here"))
    assert failure_of(router_over(Clock(), [alone])).failure.kind is kind
    assert len(alone.asked) == 1


def test_when_all_fail_one_error_carries_every_cause() -> None:
    errors = [RateLimitError("busy"), AuthenticationError("wrong key"), TimeoutError("slow")]
    told = [Told(name, error, retries=0) for name, error in zip("abc", errors, strict=True)]
    error = failure_of(router_over(Clock(), told))
    assert isinstance(error, AllProvidersFailedError)
    assert list(error.causes.values()) == errors
    assert list(error.causes) == ["a", "b", "c"]
    assert str(error) == (
        "All providers failed: a: RateLimitError: busy; b: AuthenticationError: wrong key; c: TimeoutError: slow"
    )
    assert isinstance(error.__cause__, ExceptionGroup)
    assert list(error.__cause__.exceptions) == errors
    assert error.failure.fate is Fate.UNCERTAIN


def test_the_only_provider_fails_with_its_own_error() -> None:
    cause = TimeoutError("slow")
    assert failure_of(router_over(Clock(), [Told("a", cause, retries=0)])) is cause


def test_errors_of_a_provider_that_raises_what_it_should_not_are_causes_too() -> None:
    bug = KeyError("choices")
    router = router_over(Clock(), [Told("a", bug, retries=0), Told("b", ProviderError("down"), retries=0)])
    error = failure_of(router)
    assert isinstance(error, AllProvidersFailedError)
    assert error.causes["a"].__cause__ is bug
    assert str(error.causes["a"]) == "KeyError: 'choices'"
    assert asyncio.run(router_over(Clock(), [Told("a", bug), Told("b")]).route("x")) == "b"


def test_the_built_in_timeout_of_a_provider_is_a_timeout() -> None:
    error = failure_of(router_over(Clock(), [Told("a", builtins.TimeoutError("late"), retries=0)]))
    assert type(error) is TimeoutError


def test_errors_survive_pickling() -> None:
    causes = {"a": RateLimitError("busy"), "b": AuthenticationError("wrong key")}
    copy = pickle.loads(pickle.dumps(AllProvidersFailedError(causes)))
    assert str(copy) == "All providers failed: a: RateLimitError: busy; b: AuthenticationError: wrong key"
    assert [type(cause) for cause in copy.causes.values()] == [RateLimitError, AuthenticationError]


def test_requests_are_logged_with_their_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orchestrator.router")
    router = router_over(Clock(), [Told("a", TimeoutError("slow")), Told("b")])
    asyncio.run(router.route("a secret prompt"))
    failed, completed = caplog.records
    assert (failed.levelname, failed.message) == ("WARNING", "llm_request_failed")
    assert (completed.levelname, completed.message) == ("INFO", "llm_request_completed")
    fields = vars(failed)
    assert (fields["provider"], fields["error_type"], fields["success"]) == ("a", "TimeoutError", False)
    fields = vars(completed)
    assert {"provider", "model", "latency_ms", "streaming", "success", "prompt_tokens", "cost_usd"} <= fields.keys()
    assert "secret" not in caplog.text


def test_it_is_logged_when_a_provider_is_left_alone_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    router = router_over(clock, [Told("a", AuthenticationError("wrong key"), "ok")])
    failure_of(router)
    failure_of(router)
    clock.now_s += 30
    asyncio.run(router.route("x"))
    told = [record for record in caplog.records if "circuit" in record.message]
    assert [record.message for record in told] == ["llm_provider_circuit_opened", "llm_provider_circuit_closed"]
    assert (vars(told[0])["provider"], vars(told[0])["reason"]) == ("a", "wrong key")


def test_several_threads_share_a_router() -> None:
    told = [Told("a", TimeoutError("slow"), "ok"), Told("b"), Told("c")]
    clock = Clock()
    router = router_over(clock, told)

    def many(_: int) -> int:
        async def at_once() -> int:
            return len(await asyncio.gather(*(router.route("x") for _ in range(200))))

        return asyncio.run(at_once())

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(many, range(8))) == [200] * 8
    counted = router.get_metrics().values()
    assert sum(metrics.successful_requests for metrics in counted) == 1600
    assert sum(metrics.total_requests for metrics in counted) == sum(len(each.asked) for each in told)
