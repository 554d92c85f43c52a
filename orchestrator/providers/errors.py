"""What a provider of the library raises, by what a caller can do about it.

Every class is a `ProviderError`, so `failure` says kind, fate, status and when to come back.
"""

import builtins
from collections.abc import Mapping

from pydantic import SecretStr

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.providers.base import ProviderError
from orchestrator.telemetry.redaction import redact


class AuthenticationError(ProviderError):
    """The vendor does not accept the key, or the key may not do this (401, 403)."""

    text_kind = FailureKind.AUTH
    text_fate = Fate.UNBILLED


class RateLimitError(ProviderError):
    """Too many requests (429). `failure.retry_after_s` is the vendor's wish, None if it has none."""

    text_kind = FailureKind.RATE_LIMIT
    text_fate = Fate.UNBILLED


class TimeoutError(ProviderError):
    """No answer in time, or a stream that stalled. Not the built-in exception of that name."""

    text_kind = FailureKind.TIMEOUT


class InvalidRequestError(ProviderError):
    """The vendor does not take this request (400, 422), does not know the model (404), or it is too long (413)."""

    text_kind = FailureKind.BAD_REQUEST
    text_fate = Fate.UNBILLED


class AllProvidersFailedError(ProviderError):
    """None of several providers gave an answer. `causes`: the last error of each, by name, in the order asked."""

    def __init__(self, causes: Mapping[str, ProviderError]) -> None:
        failures = [error.failure for error in causes.values()]
        kinds = {failure.kind for failure in failures}
        listed = "; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in causes.items())
        text = f"All providers failed: {listed}"
        super().__init__(
            CallFailure(
                kind=kinds.pop() if len(kinds) == 1 else FailureKind.SERVER,
                fate=Fate.UNBILLED if all(each.fate is Fate.UNBILLED for each in failures) else Fate.UNCERTAIN,
                message=text[:200],
            )
        )
        self.args = (text,)
        self.causes = dict(causes)

    def __reduce__(self) -> tuple[type["AllProvidersFailedError"], tuple[dict[str, ProviderError]]]:
        return type(self), (self.causes,)


_BY_KIND: dict[FailureKind, type[ProviderError]] = {
    FailureKind.AUTH: AuthenticationError,
    FailureKind.RATE_LIMIT: RateLimitError,
    FailureKind.TIMEOUT: TimeoutError,
    FailureKind.BAD_REQUEST: InvalidRequestError,
    FailureKind.NOT_FOUND: InvalidRequestError,
    FailureKind.CONTEXT_TOO_LONG: InvalidRequestError,
}


def error_of(failure: CallFailure) -> ProviderError:
    """The error of the class that stands for `failure.kind`."""
    return _BY_KIND.get(failure.kind, ProviderError)(failure)


def provider_error(error: Exception, key: SecretStr | None) -> ProviderError:
    """`error`, or what stands for an exception that a provider should not have raised; `key` is not shown."""
    if isinstance(error, ProviderError):
        return error
    text = redact(f"{type(error).__name__}: {error}", [key.get_secret_value()] if key else [])
    known = TimeoutError(text) if isinstance(error, builtins.TimeoutError) else ProviderError(text)
    known.__cause__ = error
    return known
