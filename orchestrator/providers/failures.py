"""How a vendor's failure is classified: by HTTP status and by the vendor's error codes, never by words."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.telemetry.redaction import redact

MAX_RETRY_AFTER_S = 600.0

_BY_STATUS = {
    401: FailureKind.AUTH,
    402: FailureKind.BILLING,
    403: FailureKind.AUTH,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.SERVER,
    409: FailureKind.SERVER,
    413: FailureKind.CONTEXT_TOO_LONG,
    429: FailureKind.RATE_LIMIT,
}

# Error codes and types that say more than the status they come with (4xx only).
_BY_CODE = {
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "string_above_max_length": FailureKind.CONTEXT_TOO_LONG,
    "insufficient_quota": FailureKind.BILLING,
    "billing_not_active": FailureKind.BILLING,
    "billing_hard_limit_reached": FailureKind.BILLING,
    "billing_error": FailureKind.BILLING,
    "exceeded_current_quota_error": FailureKind.BILLING,
    "content_filter": FailureKind.FILTERED,
    "content_policy_violation": FailureKind.FILTERED,
    "API_KEY_INVALID": FailureKind.AUTH,
}

# Types that errors inside of a stream have in place of a status.
_BY_EVENT = {
    "rate_limit_error": FailureKind.RATE_LIMIT,
    "rate_limit_exceeded": FailureKind.RATE_LIMIT,
    "authentication_error": FailureKind.AUTH,
    "permission_error": FailureKind.AUTH,
    "not_found_error": FailureKind.NOT_FOUND,
    "invalid_request_error": FailureKind.BAD_REQUEST,
}

_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


def kind_of_status(
    status: int, codes: Iterable[str] = (), special: Mapping[str, FailureKind] | None = None
) -> FailureKind:
    """The kind of an error status. `codes` are the vendor's, `special` has meanings of its own."""
    if 400 <= status < 500:
        known = {**_BY_CODE, **(special or {})}
        for code in codes:
            if code in known:
                return known[code]
        return _BY_STATUS.get(status, FailureKind.BAD_REQUEST)
    return FailureKind.SERVER


def kind_of_event(codes: Iterable[str], special: Mapping[str, FailureKind] | None = None) -> FailureKind:
    """The kind of an error inside of a stream, by its codes: the vendor's, or a status that it would have had."""
    known = {**_BY_CODE, **_BY_EVENT, **(special or {})}
    for code in codes:
        if code in known:
            return known[code]
        if code.isdigit() and len(code) == len("500"):
            return kind_of_status(int(code), (), special)
    return FailureKind.SERVER


def status_failure(
    vendor: str,
    status: int,
    headers: Mapping[str, str],
    codes: Iterable[str] = (),
    *,
    special: Mapping[str, FailureKind] | None = None,
    retry_after_s: float | None = None,
    secrets: Iterable[str] = (),
) -> CallFailure:
    """The failure that a status other than 200 is. `retry_after_s` is a hint from the body, if it has one."""
    codes = [code for code in codes if code]
    shown = next((code for code in codes if _PLAIN_CODE.fullmatch(code) and code != str(status)), "")
    message = f"{vendor}: HTTP {status}" + (f" ({shown})" if shown else "")
    hint = retry_after(headers, datetime.now(UTC))
    return CallFailure(
        kind=kind_of_status(status, codes, special),
        fate=Fate.UNBILLED,
        message=redact(message, secrets),
        status=status,
        retry_after_s=_capped(retry_after_s) if hint is None and retry_after_s is not None else hint,
    )


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the vendor asks us to wait, between 0 and 10 minutes; None if it does not say.

    Reads `retry-after-ms`, then `retry-after` as seconds or as a date, which counts from the answer's own
    `date` where it has one: the vendor's clock need not agree with ours.
    """
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        number = _number(lowered.get(name))
        if number is not None:
            return _capped(number * unit_s)
    until = _date(lowered.get("retry-after"))
    if until is None:
        return None
    return _capped((until - (_date(lowered.get("date")) or now)).total_seconds())


def moment_of(headers: Mapping[str, str], now: datetime) -> datetime:
    """When the vendor sent its answer by its own clock; `now` if it does not say."""
    return _date(headers.get("date")) or now


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
