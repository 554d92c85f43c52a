"""Telemetry through the OpenTelemetry SDK. Import this only where somebody listens."""

import threading
import time
from collections.abc import Callable, Mapping

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from orchestrator.telemetry.exposition import exposition
from orchestrator.telemetry.instruments import INSTRUMENTS, Instrument, Kind
from orchestrator.telemetry.opening import Listeners
from orchestrator.telemetry.spans import Span
from orchestrator.telemetry.telemetry import Telemetry

SCOPE = "orch"

_SERVICE = "orch-worker"
_UNNAMED = "unknown_service"
_CLOSE_S = 5.0  # to send what is left
_MICRO = 1_000_000


class OtelTelemetry(Telemetry):
    """Batches spans and metrics in threads of the SDK: a collector that is slow or gone costs its data, no time."""

    def __init__(self, to: Listeners, *, content: bool, version: str) -> None:
        resource = _resource(version)
        self.traces = to.traces
        self.content = content
        self._spans = _Spans(resource) if to.traces else None
        self._scraped = InMemoryMetricReader() if to.scraped else None
        readers: list[MetricReader] = [self._scraped] if self._scraped else []
        if to.metrics:
            readers.append(_pushing())
        self._meters = MeterProvider(readers, resource, shutdown_on_exit=False)
        meter = self._meters.get_meter(SCOPE)
        self._record = {one.name: _recorder(meter, one) for one in INSTRUMENTS} if readers else {}

    def add(self, instrument: Instrument, amount: float, labels: Mapping[str, str]) -> None:
        record = self._record.get(instrument.name)
        if record is not None:
            record(amount, labels)

    def emit(self, span: Span) -> None:
        if self._spans is not None:
            self._spans.emit(span)

    def exposition(self) -> str | None:
        if self._scraped is None:
            return None
        return exposition(self._scraped.get_metrics_data())

    def close(self) -> None:
        closing = [threading.Thread(target=self._meters.shutdown, daemon=True)]
        if self._spans is not None:
            closing.append(threading.Thread(target=self._spans.shutdown, daemon=True))
        for thread in closing:
            thread.start()
        deadline = time.monotonic() + _CLOSE_S
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))


class _Spans:
    """Writes spans with ids and times that are given."""

    def __init__(self, resource: Resource) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self._ids = _GivenIds()
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SCOPE)
        self._lock = threading.Lock()
        self.shutdown = self._provider.shutdown

    def emit(self, span: Span) -> None:
        with self._lock:
            if not self._sampled(span):
                return
            self._ids.trace, self._ids.span = span.trace_id, span.span_id
            written = self._tracer.start_span(
                span.name,
                context=_below(span),
                kind=SpanKind.CLIENT if span.client else SpanKind.INTERNAL,
                attributes=span.attributes,
                start_time=_ns(span.start_s),
            )
        for name, time_s in span.moments:
            written.add_event(name, timestamp=_ns(time_s))
        if span.error:
            written.set_attribute("error.type", span.error)
            written.set_status(Status(StatusCode.ERROR))
        written.end(_ns(max(span.start_s, span.end_s)))

    def _sampled(self, span: Span) -> bool:
        """The sampler's word for the root, so that a trace is whole or not there."""
        decided = self._provider.sampler.should_sample(Context(), span.trace_id, "run")
        return decided.decision is Decision.RECORD_AND_SAMPLE


class _GivenIds(IdGenerator):
    """Hands out the ids that were put here."""

    trace = 0
    span = 0

    def generate_span_id(self) -> int:
        return self.span

    def generate_trace_id(self) -> int:
        return self.trace


def _below(span: Span) -> Context:
    """A context whose span is the parent."""
    if span.parent_id is None:
        return Context()
    parent = SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _pushing() -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _recorder(meter: Meter, one: Instrument) -> Callable[[float, Mapping[str, str]], None]:
    made: Counter | UpDownCounter | Histogram
    match one.kind:
        case Kind.COUNTER:
            made = meter.create_counter(one.name, one.unit, one.description)
        case Kind.GAUGE:
            made = meter.create_up_down_counter(one.name, one.unit, one.description)
        case Kind.HISTOGRAM:
            bounds = list(one.buckets)
            made = meter.create_histogram(
                one.name, one.unit, one.description, explicit_bucket_boundaries_advisory=bounds
            )
            return made.record
    return made.add


def _resource(version: str) -> Resource:
    """This process. What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes first."""
    given = Resource.create().attributes
    own = {SERVICE_NAME: _SERVICE, SERVICE_VERSION: version}
    named = {name for name in given if not str(given[name]).startswith(_UNNAMED)}
    return Resource.create({name: value for name, value in own.items() if name not in named})


def _ns(seconds: float) -> int:
    return round(seconds * _MICRO) * 1_000  # a float has no nanoseconds of our time
