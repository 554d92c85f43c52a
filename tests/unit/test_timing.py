"""When a schedule fires: what is read from its flags, what is refused and why, and the form for the server."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.schedule_forms import Overlap, Timing, policy_of, spec_of
from orchestrator.client.timing import (
    Span,
    interval_text,
    parse_calendar,
    parse_catchup,
    parse_cron,
    parse_every,
    parse_moment,
    parse_schedule_name,
    parse_timezone,
)


def spans(*given: tuple[int, int]) -> tuple[Span, ...]:
    return tuple(Span(first=first, last=last) for first, last in given)


def test_cron_is_read_as_cron_means_it() -> None:
    time = parse_cron("*/15  0-6,22 * jan,MAR 1-5")
    assert time.minute == (Span(first=0, last=59, step=15),)
    assert time.hour == spans((0, 6), (22, 22))
    assert time.day == spans((1, 31)) and time.month == spans((1, 1), (3, 3)) and time.weekday == spans((1, 5))
    assert time.text == "*/15 0-6,22 * jan,MAR 1-5"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0 0 * * 7", spans((0, 0))),
        ("0 0 * * fri-sun", spans((5, 6), (0, 0))),
        ("0 0 * * sat-tue", spans((6, 6), (0, 2))),
        ("0 0 * * Monday", spans((1, 1))),
        ("@weekly", spans((0, 0))),
    ],
)
def test_a_week_begins_where_one_likes(text: str, expected: tuple[Span, ...]) -> None:
    assert parse_cron(text).weekday == expected


@pytest.mark.parametrize(
    "text, why",
    [
        ("0 2 * *", "five fields"),
        ("@every 1h", "five fields"),
        ("60 * * * *", "from 0 to 59"),
        ("0 24 * * *", "from 0 to 23"),
        ("0 0 0 * *", "from 1 to 31"),
        ("0 0 * foo *", "no month"),
        ("0 0 * * 8", "no weekday"),
        ("0 0 * 5-2 *", "no range"),
        ("0 */0 * * *", "no range"),
        ("0 0 1 * mon", "two --cron"),
        ("a/b * * * *", "no value of minute"),
    ],
)
def test_a_cron_expression_that_cannot_be_meant_is_explained(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_cron(text)


def test_a_calendar_names_its_fields() -> None:
    time = parse_calendar("hour=2,14 minute=30 weekday=mon-fri year=2027")
    assert time.hour == spans((2, 2), (14, 14)) and time.minute == spans((30, 30)) and time.year == spans((2027, 2027))
    assert time.second == spans((0, 0)) and time.day == spans((1, 31))


@pytest.mark.parametrize(
    "text, why",
    [("", "is empty"), ("hour", "not 'field=value'"), ("huor=2", "did you mean 'hour'"), ("hour=2 hour=3", "twice")],
)
def test_a_calendar_that_cannot_be_meant_is_explained(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_calendar(text)


def test_an_interval_may_have_an_offset() -> None:
    interval = parse_every("1d/2h")
    assert (interval.every_s, interval.offset_s) == (86_400, 7_200)
    assert interval_text(timedelta(days=1), timedelta(hours=2)) == "every 1d/2h"
    for wrong in ("1h/1h", "soon", "1h/", "0"):
        with pytest.raises(ValueError, match="must be"):
            parse_every(wrong)


def test_a_time_zone_is_known_whatever_its_case() -> None:
    assert parse_timezone("europe/berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        parse_timezone("Europe/Berln")
    with pytest.raises(ValueError, match="unknown time zone") as unknown:
        parse_timezone("qqqq")
    assert len(str(unknown.value)) < 120


def test_a_moment_is_of_the_schedules_time_zone_unless_it_names_its_own() -> None:
    assert parse_moment("2026-11-21T02:30", "Europe/Berlin") == datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    assert parse_moment("2026-11-21T02:30Z", "Europe/Berlin") == datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="2026-11-21T02:30"):
        parse_moment("yesterday", "UTC")


def test_names_and_windows_are_limited() -> None:
    assert parse_schedule_name("nightly-2") == "nightly-2" and parse_catchup("1m") == 60
    for wrong in ("", "Nightly", "a b", "-a", "a" * 61):
        with pytest.raises(ValueError, match="small letters"):
            parse_schedule_name(wrong)
    with pytest.raises(ValueError, match="at least 10 seconds"):
        parse_catchup("5")


def test_an_update_keeps_what_it_does_not_name() -> None:
    first = Timing(intervals=(parse_every("1h"),), timezone="Europe/Berlin", jitter_s=5.0, catchup_s=60.0)
    spec, policy = spec_of(first), policy_of(first)
    later = Timing(overlap=Overlap.CANCEL, calendars=(parse_cron("@daily"),))
    changed, rules = spec_of(later, spec), policy_of(later, policy)
    assert not changed.intervals and [one.comment for one in changed.calendars] == ["@daily"]
    assert changed.time_zone_name == "Europe/Berlin" and changed.jitter == timedelta(seconds=5)
    assert rules.catchup_window == timedelta(seconds=60) and rules.overlap.name == "CANCEL_OTHER"
