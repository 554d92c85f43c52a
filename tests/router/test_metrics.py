"""Metrics of providers, and how Prometheus reads them."""

import asyncio
import re
import urllib.request

import pytest

from orchestrator.domain.money import Usage
from orchestrator.providers import AuthenticationError, TimeoutError
from orchestrator.providers.base import FinishReason, ModelAnswer
from orchestrator.router import HealthStatus, ProviderMetrics, Router
from tests.router.stand_ins import Clock, Told, router_over
from tests.router.test_strategies import Priced


def test_metrics_start_empty_and_are_there_from_the_beginning() -> None:
    metrics = router_over(Clock(), [Told("a")]).get_metrics()["a"]
    assert (metrics.total_requests, metrics.success_rate, metrics.avg_latency_ms) == (0, 0.0, 0.0)
    assert metrics.rolling_avg_latency_ms is None
    assert (metrics.recent_error_rate, metrics.health_status) == (0.0, HealthStatus.HEALTHY)


def test_answers_and_failures_are_counted() -> None:
    router = router_over(Clock(), [Told("a", TimeoutError("slow"), "ok")])
    asyncio.run(router.route("x"))
    metrics = router.get_metrics()["a"]
    assert (metrics.total_requests, metrics.successful_requests, metrics.failed_requests) == (2, 1, 1)
    assert metrics.success_rate == 0.5
    assert metrics.total_latency_ms > 0


def test_the_dictionary_is_a_copy() -> None:
    router = router_over(Clock(), [Told("a")])
    router.get_metrics().clear()
    assert list(router.get_metrics()) == ["a"]


def test_tokens_and_cost_are_the_vendors() -> None:
    router = Router()
    router.add_provider(Priced("a", "openai", "gpt-6-luna"))
    asyncio.run(router.route("x"))
    metrics = router.get_metrics()["a"]
    assert (metrics.total_prompt_tokens, metrics.total_completion_tokens, metrics.total_tokens) == (10**6, 0, 10**6)
    assert metrics.total_cost_micro > 0
    assert metrics.total_cost == metrics.total_cost_micro / 10**6


def test_the_rolling_average_is_of_a_hundred_answers() -> None:
    metrics = ProviderMetrics(Clock())
    for latency_ms in [1000.0] * 50 + [10.0] * 100:
        metrics.record_success(latency_ms)
    assert metrics.rolling_avg_latency_ms == pytest.approx(10)
    assert metrics.avg_latency_ms == pytest.approx(340)


@pytest.mark.parametrize(
    ("answers", "errors", "status"),
    [
        (0, 4, HealthStatus.HEALTHY),
        (0, 5, HealthStatus.UNHEALTHY),
        (2, 3, HealthStatus.UNHEALTHY),
        (3, 2, HealthStatus.DEGRADED),
        (7, 3, HealthStatus.DEGRADED),
        (8, 3, HealthStatus.HEALTHY),
        (1000, 400, HealthStatus.HEALTHY),
        (1000, 430, HealthStatus.DEGRADED),
    ],
)
def test_health_by_the_share_of_errors(answers: int, errors: int, status: HealthStatus) -> None:
    metrics = ProviderMetrics(Clock())
    for _ in range(answers):
        metrics.record_success(10.0)
    for _ in range(errors):
        metrics.record_error()
    assert metrics.health_status is status


def test_errors_and_latency_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    metrics = ProviderMetrics(clock)
    metrics.record_success(10.0)
    for _ in range(9):
        metrics.record_error()
    assert (metrics.recent_error_rate, metrics.recent_latency_ms) == (0.9, 10.0)
    clock.now_s += 59
    assert metrics.recent_error_rate == 0.9
    clock.now_s += 2
    assert (metrics.recent_error_rate, metrics.recent_latency_ms) == (0.0, None)
    assert metrics.health_status is HealthStatus.HEALTHY
    assert metrics.failed_requests == 9


def test_health_by_slowdown() -> None:
    def after(fast: int) -> HealthStatus:
        metrics = ProviderMetrics(Clock())
        for latency_ms in [10.0] * fast + [100.0] * 100:
            metrics.record_success(latency_ms)
        return metrics.health_status

    assert after(fast=0) is HealthStatus.HEALTHY
    assert after(fast=50) is HealthStatus.HEALTHY
    assert after(fast=400) is HealthStatus.DEGRADED


class Counted(Told):
    """Reports usage."""

    async def answer(self, prompt: str, params: object = None) -> ModelAnswer:
        text = await self.generate(prompt)
        return ModelAnswer(text=text, usage=Usage(input_tokens=7, output_tokens=5), finish=FinishReason.STOP)


def scraped(port: int) -> tuple[str, dict[str, float]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        kind, text = response.headers["content-type"], response.read().decode()
    return kind, {name: float(value) for name, value in re.findall(r"^(llm_\S+) (\S+)$", text, flags=re.MULTILINE)}


def test_prometheus_reads_what_was_counted_and_no_more() -> None:
    async def served() -> None:
        router = router_over(Clock(), [Counted("a"), Told("b", AuthenticationError("no"))])
        port = await router.start_metrics_server(0, "127.0.0.1")
        for _ in range(3):
            await router.route("x")
        first = await asyncio.to_thread(scraped, port)
        assert first == await asyncio.to_thread(scraped, port)
        kind, values = first
        assert kind.startswith("text/plain; version=0.0.4; charset=utf-8")
        assert values['llm_requests_total{provider="a",status="success"}'] == 3
        assert values['llm_requests_total{provider="b",status="failure"}'] == 1
        assert values['llm_request_latency_seconds_bucket{le="0.1",provider="a"}'] == 3
        assert values['llm_request_latency_seconds_bucket{le="+Inf",provider="a"}'] == 3
        assert values['llm_request_latency_seconds_count{provider="a"}'] == 3
        assert values['llm_tokens_total{provider="a",type="prompt"}'] == 21
        assert values['llm_tokens_total{provider="a",type="completion"}'] == 15
        assert values['llm_cost_total{provider="a"}'] == 0
        assert values['llm_provider_health{provider="a"}'] == 1
        assert values['llm_provider_health{provider="b"}'] == 0
        assert not [name for name in values if "_created" in name]
        await router.aclose()

    asyncio.run(served())


def test_two_routers_serve_their_own_metrics() -> None:
    async def served() -> None:
        routers = [router_over(Clock(), [Told(name)]) for name in "ab"]
        ports = [await router.start_metrics_server(0, "127.0.0.1") for router in routers]
        for name, port in zip("ab", ports, strict=True):
            _, values = await asyncio.to_thread(scraped, port)
            assert {re.findall(r'provider="(\w)"', key)[0] for key in values} == {name}
        for router in routers:
            await router.aclose()

    asyncio.run(served())


def test_the_metrics_server_starts_once_and_again_after_a_stop_or_a_failure() -> None:
    async def served() -> None:
        first, second = Router(), Router()
        port = await first.start_metrics_server(0, "127.0.0.1")
        with pytest.raises(RuntimeError, match="already running"):
            await first.start_metrics_server(0, "127.0.0.1")
        with pytest.raises(OSError, match="in use"):
            await second.start_metrics_server(port, "127.0.0.1")
        await first.stop_metrics_server()
        await first.stop_metrics_server()
        assert await second.start_metrics_server(port, "127.0.0.1") == port
        await second.aclose()

    asyncio.run(served())
