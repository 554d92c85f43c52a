"""Calls to Temporal: how long they may take, and their errors as one line for the user."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache

from temporalio.client import RPCTimeoutOrCancelledError, WorkflowQueryFailedError
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.text import one_line

RPC_TIMEOUT = timedelta(seconds=5)
UPDATE_TIMEOUT = timedelta(seconds=20)  # a new plan's texts are stored first
QUERY_TIMEOUT = timedelta(seconds=3)
CONNECT_TIMEOUT = timedelta(seconds=5)
RETRIES = RetryConfig(initial_interval_millis=50, max_interval_millis=500, max_elapsed_time_millis=3000, max_retries=5)

_REFUSED = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
_SILENT = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


@lru_cache(maxsize=1)
def core_runtime() -> Runtime:
    """The SDK's core, which would log to stdout by itself: there, `--json` promises one object and nothing else."""
    return Runtime(telemetry=TelemetryConfig(logging=_core_logs()))


def worker_runtime(metrics_address: str) -> Runtime:
    """The core of a worker, which serves the SDK's own metrics to Prometheus at `metrics_address`, host:port.

    Times are seconds, and names end as Prometheus wants them. Where the address cannot be used, that is logged, and the
    worker works without.
    """
    if not metrics_address:
        return core_runtime()
    metrics = PrometheusConfig(
        bind_address=metrics_address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    try:
        return Runtime(telemetry=TelemetryConfig(logging=_core_logs(), metrics=metrics))
    except (RuntimeError, ValueError) as error:
        logging.getLogger("orch.worker").error("no metrics of the SDK at %s: %s", metrics_address, one_line(str(error)))
        return core_runtime()


def _core_logs() -> LoggingConfig:
    logger = logging.getLogger("orch.temporal")
    logger.addHandler(logging.NullHandler())  # silent unless the process has set up logging
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=LogForwardingConfig(logger=logger)
    )


@contextmanager
def rpc_errors(address: str, *, unknown: str = "", asked: str = "Temporal") -> Iterator[None]:
    """Turns RPC failures into PrerequisiteError, NOT_FOUND into UserInputError(`unknown`) if that is given.

    `asked` names who should have answered.
    """
    try:
        yield
    except RPCError as error:
        if unknown and error.status == RPCStatusCode.NOT_FOUND:
            raise UserInputError(unknown) from error
        raise PrerequisiteError(_explained(error, address, asked)) from error
    except (RPCTimeoutOrCancelledError, TimeoutError) as error:
        raise PrerequisiteError(f"{asked} at {address} did not answer in time; try again") from error
    except WorkflowQueryFailedError as error:
        raise PrerequisiteError(f"the run does not answer: {one_line(str(error))}") from error


def _explained(error: RPCError, address: str, asked: str) -> str:
    if error.status in _REFUSED:
        return f"Temporal at {address} refused: {one_line(error.message)}; check key, certificate and namespace"
    if error.status in _SILENT:
        return f"{asked} at {address} does not answer ({error.status.name.lower()}); try again"
    return f"Temporal at {address}: {one_line(error.message)}"
