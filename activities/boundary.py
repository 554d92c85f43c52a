"""Around every activity: heartbeats, and errors of which Temporal retries outages of the store and nothing else."""

from collections.abc import Iterable
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.heartbeat import heartbeats
from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.domain.text import one_line
from orchestrator.telemetry.instruments import STORE_ERRORS
from orchestrator.telemetry.redaction import redact
from orchestrator.telemetry.telemetry import SILENT, Telemetry


class ErrorBoundary(Interceptor):
    """Makes errors of activities fit for a history: one redacted line, no traceback of vendors' libraries.

    An unusable store (full disk, network) is tried again; any other error would only happen again.
    """

    def __init__(self, secrets: Iterable[str], telemetry: Telemetry = SILENT) -> None:
        self._secrets = tuple(secrets)
        self._telemetry = telemetry

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Called by the worker, once per activity."""
        return _Boundary(next, self._secrets, self._telemetry)


class _Boundary(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, secrets: tuple[str, ...], telemetry: Telemetry) -> None:
        super().__init__(next)
        self._secrets = secrets
        self._telemetry = telemetry

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            async with heartbeats():
                return await super().execute_activity(input)
        except ApplicationError:
            raise
        except (OSError, ArtifactUnavailableError) as error:
            if isinstance(error, ArtifactUnavailableError):
                self._telemetry.add(STORE_ERRORS, 1, {"activity": activity.info().activity_type})
            raise self._fit(error, non_retryable=False) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not leave as it is
            raise self._fit(error, non_retryable=True) from None

    def _fit(self, error: Exception, non_retryable: bool) -> ApplicationError:
        name = type(error).__name__
        message = one_line(redact(f"{name}: {error}", self._secrets))
        return ApplicationError(message, type=name, non_retryable=non_retryable)
