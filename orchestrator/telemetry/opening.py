"""Who listens to a worker, by the standard OTEL_* variables. Where nobody does, nothing is imported."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.telemetry.telemetry import SILENT, Telemetry

logger = logging.getLogger(__name__)

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "http/protobuf"


class Listeners(NamedTuple):
    """Collectors that take traces and metrics, and whether somebody reads `Telemetry.exposition`."""

    traces: bool = False
    metrics: bool = False
    scraped: bool = False


def open_telemetry(environment: Mapping[str, str], *, scraped: bool, content: bool, version: str) -> Telemetry:
    """The telemetry of a worker.

    `environment` must be that of the process, which the SDK reads by itself. Nothing is exported unless it names an
    endpoint, or the exporter `otlp`. `content`: spans of calls carry prompts and answers.
    """
    found = listeners(environment, scraped=scraped)
    if not any(found):
        return SILENT
    for signal in ("TRACES", "METRICS"):
        protocol = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environment.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL"
        )
        if protocol and protocol != _PROTOCOL:
            logger.warning("OTLP by %s is not spoken here: %s is sent as %s", protocol, signal.lower(), _PROTOCOL)
    from orchestrator.telemetry.otel import OtelTelemetry

    return OtelTelemetry(found, content=content, version=version)


def listeners(environment: Mapping[str, str], *, scraped: bool) -> Listeners:
    """Who listens by these variables."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Listeners()
    return Listeners(_exported(environment, "TRACES"), _exported(environment, "METRICS"), scraped)


def _exported(environment: Mapping[str, str], signal: str) -> bool:
    exporters = environment.get(f"OTEL_{signal}_EXPORTER", "")
    if exporters:
        return "otlp" in (name.strip().lower() for name in exporters.split(","))
    return bool(environment.get(_ENDPOINT) or environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
