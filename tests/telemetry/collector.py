"""A collector on loopback that keeps what OTLP over HTTP brings, and telemetry that a test reads directly."""

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from orchestrator.telemetry.instruments import Instrument
from orchestrator.telemetry.spans import Span
from orchestrator.telemetry.telemetry import Telemetry

DEADLINE_S = 30.0


class Ear(Telemetry):
    """Remembers what it is told."""

    traces = True

    def __init__(self, *, content: bool = False) -> None:
        self.content = content
        self.spans: list[Span] = []
        self.sums: dict[tuple[str, ...], float] = {}
        self.labels: dict[str, set[str]] = {}

    def add(self, instrument: Instrument, amount: float, labels: Mapping[str, str]) -> None:
        key = (instrument.name, *labels.values())
        self.sums[key] = self.sums.get(key, 0) + amount
        self.labels.setdefault(instrument.name, set()).update(labels)

    def emit(self, span: Span) -> None:
        self.spans.append(span)

    def of(self, instrument: Instrument) -> dict[tuple[str, ...], float]:
        """Sums of an instrument by the values of its labels."""
        return {key[1:]: amount for key, amount in self.sums.items() if key[0] == instrument.name}


class Collector:
    """What was received. `status` is what it answers."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.status = 200
        self.bodies: list[bytes] = []
        self._traces: list[ExportTraceServiceRequest] = []
        self._metrics: list[ExportMetricsServiceRequest] = []

    def take(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        if path == "/v1/traces":
            self._traces.append(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            self._metrics.append(ExportMetricsServiceRequest.FromString(body))

    @property
    def spans(self) -> list[WireSpan]:
        """All spans, in the order of their arrival."""
        return [
            span
            for request in self._traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def services(self) -> set[str]:
        """Names of the services that sent spans."""
        resources = [resource.resource for request in self._traces for resource in request.resource_spans]
        return {plain(resource.attributes)["service.name"] for resource in resources}

    @property
    def metric_names(self) -> set[str]:
        return {
            metric.name
            for request in self._metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def wait_for(self, condition: Callable[["Collector"], bool]) -> None:
        """Block until the condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.spans)} spans: {sorted(span.name for span in self.spans)}")
            time.sleep(0.02)


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector that listens on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plain(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by name."""
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    return getattr(value, kind) if kind else None
