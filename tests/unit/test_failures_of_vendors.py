"""Retry-After and the kinds of error statuses."""

from datetime import UTC, datetime

import pytest

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.providers.failures import kind_of_status, retry_after, status_failure

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "Sat, 21 Nov 2026 12:00:20 GMT"}, 10.0),
        ({"retry-after": "Sat, 21 Nov 2026 23:00:00 GMT"}, 600.0),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "99999-99"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize("status", range(400, 500))
def test_every_4xx_has_a_kind_that_is_not_the_servers_fault_unless_it_is(status: int) -> None:
    assert (kind_of_status(status) is FailureKind.SERVER) == (status in (408, 409))


def test_codes_say_nothing_about_statuses_of_the_server() -> None:
    assert kind_of_status(500, ["insufficient_quota"]) is FailureKind.SERVER


def test_a_hint_in_the_body_counts_where_the_headers_have_none() -> None:
    assert status_failure("google", 429, {}, retry_after_s=9000).retry_after_s == 600.0
    assert status_failure("google", 429, {"retry-after": "3"}, retry_after_s=9).retry_after_s == 3.0


def test_only_plain_codes_are_shown_and_never_the_key() -> None:
    failure = status_failure("x", 401, {}, ["not a code\n\x1b[31m", "secret-key"], secrets=["secret-key"])
    assert failure.message == "x: HTTP 401 ([redacted])"
    assert failure.fate is Fate.UNBILLED
