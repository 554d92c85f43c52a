"""What Temporal may retry: outages of the store, and nothing else."""

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

from temporalio.exceptions import ApplicationError

from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.telemetry.redaction import one_line, redact

P = ParamSpec("P")
R = TypeVar("R")


def guarded(secrets: Iterable[str], function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """`function` with its errors made fit for a history: one redacted line, no traceback of vendors' libraries.

    An unusable store (full disk, network) is tried again; any other error would only happen again.
    """
    known = tuple(secrets)

    @functools.wraps(function)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await function(*args, **kwargs)
        except ApplicationError:
            raise
        except (OSError, ArtifactUnavailableError) as error:
            raise ApplicationError(_message(error, known), type=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not leave as it is
            raise ApplicationError(_message(error, known), type=type(error).__name__, non_retryable=True) from None

    return wrapper


def _message(error: Exception, secrets: tuple[str, ...]) -> str:
    return one_line(redact(f"{type(error).__name__}: {error}", secrets))
