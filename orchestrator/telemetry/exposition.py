"""Metrics of the OpenTelemetry SDK as the text that Prometheus scrapes (exposition format 0.0.4)."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from opentelemetry.sdk.metrics.export import HistogramDataPoint, Metric, MetricsData, NumberDataPoint

from orchestrator.telemetry.instruments import INSTRUMENTS, Kind, label_name

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BY_NAME = {one.name: one for one in INSTRUMENTS}
_TYPES = {Kind.COUNTER: "counter", Kind.GAUGE: "gauge", Kind.HISTOGRAM: "histogram"}
_OF_PROCESS = ("service.name", "service.version", "service.instance.id", "service.namespace", "deployment.environment")


def exposition(data: MetricsData | None) -> str:
    """All our metrics that have a value, and `target_info`, which says what process they are from."""
    lines: list[str] = []
    for resource in data.resource_metrics if data else ():
        about = {name: str(value) for name, value in resource.resource.attributes.items() if name in _OF_PROCESS}
        lines += ["# TYPE target_info gauge", f"target_info{_labels(about)} 1"]
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name in _BY_NAME:
                    lines += _family(metric)
    return "".join(f"{line}\n" for line in lines)


def _family(metric: Metric) -> Iterator[str]:
    one = _BY_NAME[metric.name]
    name = one.prometheus_name
    yield f"# HELP {name} {one.description}"
    yield f"# TYPE {name} {_TYPES[one.kind]}"
    for point in metric.data.data_points:
        if isinstance(point, HistogramDataPoint):
            yield from _histogram(name, point)
        elif isinstance(point, NumberDataPoint):
            yield f"{name}{_labels(point.attributes)} {point.value}"


def _histogram(name: str, point: HistogramDataPoint) -> Iterator[str]:
    bounds = [*(str(bound) for bound in point.explicit_bounds), "+Inf"]
    for bound, count in zip(bounds, accumulate(point.bucket_counts), strict=True):
        yield f"{name}_bucket{_labels(point.attributes, le=bound)} {count}"
    yield f"{name}_sum{_labels(point.attributes)} {point.sum}"
    yield f"{name}_count{_labels(point.attributes)} {point.count}"


def _labels(attributes: Mapping[str, Any] | None, **more: str) -> str:
    pairs = {**{label_name(name): str(value) for name, value in (attributes or {}).items()}, **more}
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
