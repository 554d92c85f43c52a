"""Metrics of a router for Prometheus. Needs the extra `prometheus`."""

from collections.abc import Callable, Iterable
from http.server import HTTPServer
from itertools import accumulate
from threading import Thread

from orchestrator.router.metrics import LATENCY_BUCKETS_S, HealthStatus
from orchestrator.router.slot import Slot

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("prometheus-client is not installed; install it with: pip install 'orch[prometheus]'") from error

_HEALTH = {HealthStatus.HEALTHY: 1.0, HealthStatus.DEGRADED: 0.5, HealthStatus.UNHEALTHY: 0.0}
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class RouterCollector(Collector):
    """Reads the metrics of `slots()` when it is asked: between two scrapes nothing runs."""

    def __init__(self, slots: Callable[[], Iterable[Slot]]) -> None:
        self._slots = slots

    def collect(self) -> Iterable[Family]:
        """All families, with the providers that there are now."""
        requests = CounterMetricFamily("llm_requests", "Requests to a provider.", labels=["provider", "status"])
        latency = HistogramMetricFamily("llm_request_latency_seconds", "Time to the answer.", labels=["provider"])
        tokens = CounterMetricFamily("llm_tokens", "Tokens as vendors report them.", labels=["provider", "type"])
        cost = CounterMetricFamily("llm_cost", "Cost of the answers in USD.", labels=["provider"])
        health = GaugeMetricFamily("llm_provider_health", "1 healthy, 0.5 degraded, 0 not.", labels=["provider"])
        for slot in self._slots():
            name, metrics = slot.name, slot.metrics
            requests.add_metric([name, "success"], metrics.successful_requests)
            requests.add_metric([name, "failure"], metrics.failed_requests)
            bounds = [*(str(bound) for bound in LATENCY_BUCKETS_S), "+Inf"]
            buckets = list(zip(bounds, accumulate(metrics.latency_counts), strict=True))
            latency.add_metric([name], buckets, metrics.total_latency_ms / 1000)
            tokens.add_metric([name, "prompt"], metrics.total_prompt_tokens)
            tokens.add_metric([name, "completion"], metrics.total_completion_tokens)
            cost.add_metric([name], metrics.total_cost)
            health.add_metric([name], _HEALTH[slot.metrics.health_status])
        return [requests, latency, tokens, cost, health]


class MetricsServer:
    """Serves `GET /metrics` from a thread. Raises OSError where the port is taken."""

    def __init__(self, slots: Callable[[], Iterable[Slot]], host: str, port: int) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(RouterCollector(slots))
        self._server: HTTPServer
        self._thread: Thread
        self._server, self._thread = start_http_server(port, addr=host, registry=registry)

    @property
    def port(self) -> int:
        """The port, chosen by the system where 0 was asked for."""
        return self._server.server_port

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
