"""What leaves the process: OTLP to a collector that may be gone, and the text that Prometheus scrapes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orchestrator.telemetry import instruments
from orchestrator.telemetry.opening import Listeners, listeners, open_telemetry
from orchestrator.telemetry.spans import Span, call_id, root_id, task_id, trace_id
from orchestrator.telemetry.telemetry import SILENT, Telemetry
from tests.telemetry.collector import Collector, plain, running_collector

TRACE = trace_id("default", "p1")
ROOT = Span("project", TRACE, root_id(TRACE), None, 1_700_000_000.0, 1_700_000_009.5, {"orch.run.id": "p1"})
CALL = Span(
    name="chat fast",
    trace_id=TRACE,
    span_id=call_id(TRACE, "default/p1/t1/0/plan/1/-/1"),
    parent_id=ROOT.span_id,
    start_s=1_700_000_001.25,
    end_s=1_700_000_002.5,
    attributes={"gen_ai.response.finish_reasons": ("stop",), "gen_ai.usage.input_tokens": 7},
    error="timeout",
    moments=(("retried", 1_700_000_002.0),),
    client=True,
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as found:
        yield found


def opened(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, scraped: bool = False) -> Telemetry:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return open_telemetry(environment, scraped=scraped, content=False, version="1.2.3")


def test_nothing_is_imported_where_nobody_listens() -> None:
    code = (
        "import sys; from orchestrator.telemetry.opening import open_telemetry;"
        "open_telemetry({}, scraped=False, content=False, version='');"
        "import workers.observing;"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'starlette', 'uvicorn'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "environment,scraped,expected",
    [
        ({}, False, Listeners()),
        ({}, True, Listeners(scraped=True)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False, Listeners(traces=True, metrics=True)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"}, False, Listeners(traces=True)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, False, Listeners(traces=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, False, Listeners(traces=True)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, True, Listeners()),
    ],
)
def test_the_standard_variables_say_who_listens(
    environment: dict[str, str], scraped: bool, expected: Listeners
) -> None:
    assert listeners(environment, scraped=scraped) == expected


def test_spans_arrive_with_the_ids_and_times_that_they_have(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = opened(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_SERVICE_NAME": "night"})
    telemetry.emit(ROOT)
    telemetry.emit(CALL)
    telemetry.add(instruments.RUNS, 1, {"kind": "project", "status": "SUCCESS"})
    telemetry.close()
    root, call = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    assert int.from_bytes(root.trace_id, "big") == int.from_bytes(call.trace_id, "big") == TRACE
    assert (root.parent_span_id, call.parent_span_id) == (b"", root.span_id)
    assert int.from_bytes(call.span_id, "big") == CALL.span_id
    assert (call.start_time_unix_nano, call.end_time_unix_nano) == (
        1_700_000_001_250_000_000,
        1_700_000_002_500_000_000,
    )
    assert plain(call.attributes) == {**CALL.attributes, "error.type": "timeout"}
    assert [(event.name, event.time_unix_nano) for event in call.events] == [("retried", 1_700_000_002_000_000_000)]
    assert collector.services == {"night"}
    assert collector.metric_names == {"orch.runs"}


def test_a_trace_is_sampled_whole_or_not_at_all(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
    }
    telemetry = opened(monkeypatch, environment)
    for number in range(40):
        trace = trace_id("default", f"p{number}")
        telemetry.emit(Span("project", trace, root_id(trace), None, 1.0, 2.0))
        telemetry.emit(Span("task t1", trace, task_id(trace, "t1"), root_id(trace), 1.0, 2.0))
    telemetry.close()
    by_trace: dict[bytes, int] = {}
    for span in collector.spans:
        by_trace[span.trace_id] = by_trace.get(span.trace_id, 0) + 1
    assert 5 < len(by_trace) < 35
    assert set(by_trace.values()) == {2}


@pytest.mark.parametrize("trouble", ["refuses", "gone"])
def test_a_collector_in_trouble_costs_no_time(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    collector.status = 503
    endpoint = collector.endpoint if trouble == "refuses" else "http://127.0.0.1:9"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_MAX_QUEUE_SIZE": "512"}
    telemetry = opened(monkeypatch, {**environment, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"})
    began = time.monotonic()
    for _ in range(1_000):
        telemetry.emit(CALL)
        telemetry.add(instruments.RUNS, 1, {"kind": "project", "status": "SUCCESS"})
    assert time.monotonic() - began < 2.0
    telemetry.close()
    assert time.monotonic() - began < 8.0


def test_prometheus_reads_every_instrument(monkeypatch: pytest.MonkeyPatch) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    telemetry = opened(monkeypatch, {"OTEL_RESOURCE_ATTRIBUTES": 'service.namespace=a"b'}, scraped=True)
    for one in instruments.INSTRUMENTS:
        labels = dict.fromkeys(one.labels, 'x"\\\n')
        telemetry.add(one, 2, labels)
        telemetry.add(one, 0.5, labels)
    text = telemetry.exposition()
    assert text is not None
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for one in instruments.INSTRUMENTS:
        family = families[one.prometheus_name.removesuffix("_total")]
        samples = {sample.name: sample for sample in family.samples}
        if one.kind is instruments.Kind.HISTOGRAM:
            assert samples[f"{one.prometheus_name}_count"].value == 2
            assert samples[f"{one.prometheus_name}_sum"].value == 2.5
            buckets = {float(s.labels["le"]): s.value for s in family.samples if s.name.endswith("_bucket")}
            assert list(buckets) == [*one.buckets, float("inf")]
            assert all(count == (bound >= 0.5) + (bound >= 2) for bound, count in buckets.items())
        else:
            sample = samples[one.prometheus_name]
            assert sample.value == 2.5
            assert sample.labels == {instruments.label_name(name): 'x"\\\n' for name in one.labels}
    assert families["target_info"].samples[0].labels["service_version"] == "1.2.3"
    telemetry.close()


def test_silence_takes_everything() -> None:
    SILENT.emit(CALL)
    SILENT.add(instruments.RUNS, 1, {})
    assert SILENT.exposition() is None
    SILENT.close()
