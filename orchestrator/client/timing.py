"""When a schedule fires: intervals, cron expressions and calendars, read into one checked form."""

import re
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from orchestrator.client.spec import parse_time_limit
from orchestrator.domain.base import Frozen
from orchestrator.settings.yaml_files import nearest

DEFAULT_CATCHUP = "1h"

_MIN_CATCHUP_S = 10.0  # less is more to the server
_MIN_EVERY_S = 1.0
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PIECE = re.compile(r"(?:\*|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/(\d{1,4}))?")
_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class Span(Frozen):
    """Numbers from `first` to `last`, each `step`-th of them."""

    first: int
    last: int
    step: int = 1


class CalendarTime(Frozen):
    """Points in time that match every field; an empty field matches always. `text` is what the user wrote."""

    second: tuple[Span, ...] = (Span(first=0, last=0),)
    minute: tuple[Span, ...] = (Span(first=0, last=0),)
    hour: tuple[Span, ...] = (Span(first=0, last=0),)
    day: tuple[Span, ...] = (Span(first=1, last=31),)
    month: tuple[Span, ...] = (Span(first=1, last=12),)
    year: tuple[Span, ...] = ()
    weekday: tuple[Span, ...] = (Span(first=0, last=6),)  # 0 is Sunday
    text: str


class Interval(Frozen):
    """Every `every_s` seconds since the epoch, `offset_s` later."""

    every_s: float
    offset_s: float = 0.0


class _Field(Frozen):
    """What a field of a calendar may hold."""

    least: int
    most: int
    names: tuple[str, ...] = ()  # of the numbers from `least`


_FIELDS = {
    "second": _Field(least=0, most=59),
    "minute": _Field(least=0, most=59),
    "hour": _Field(least=0, most=23),
    "day": _Field(least=1, most=31),
    "month": _Field(least=1, most=12, names=_MONTHS),
    "year": _Field(least=2000, most=2100),
    "weekday": _Field(least=0, most=6, names=_DAYS),
}
_CRON = ("minute", "hour", "day", "month", "weekday")


def parse_schedule_name(raw: str) -> str:
    """`raw`, if a schedule can have it. Raises ValueError."""
    if not _NAME.fullmatch(raw):
        raise ValueError(f"must be 1 to 60 small letters, digits or '-'; got {raw[:60]!r}")
    return raw


def parse_every(raw: str) -> Interval:
    """An interval from `1h` or `1d/2h`: each day, two hours after midnight UTC. Raises ValueError."""
    every, slash, offset = raw.partition("/")
    every_s = parse_time_limit(every)
    offset_s = parse_time_limit(offset) if slash else 0.0
    if every_s < _MIN_EVERY_S or offset_s >= every_s:
        raise ValueError(f"the offset after '/' must be less than the interval; got {raw[:60]!r}")
    return Interval(every_s=every_s, offset_s=offset_s)


def parse_cron(raw: str) -> CalendarTime:
    """A cron expression of five fields (minute, hour, day, month, weekday), or `@daily` and the like.

    Raises ValueError, also where both days are limited: cron fires on either, Temporal only on both.
    """
    text = " ".join(raw.split())
    fields = _SHORTHANDS.get(text.lower(), text).split(" ")
    if len(fields) != len(_CRON):
        raise ValueError(f"must have five fields: minute hour day month weekday; got {raw[:60]!r}")
    spans = {name: _spans(name, value) for name, value in zip(_CRON, fields, strict=True)}
    if not fields[2].startswith("*") and not fields[4].startswith("*"):
        raise ValueError(f"limits day and weekday, which cron joins by 'or': give two --cron; got {raw[:60]!r}")
    return CalendarTime(text=text, **spans)


def parse_calendar(raw: str) -> CalendarTime:
    """A calendar such as `hour=2 minute=30 weekday=mon-fri`; all fields must match. Raises ValueError.

    Fields: second, minute, hour (0 where they are left out), day, month, year, weekday (any).
    """
    given: dict[str, tuple[Span, ...]] = {}
    for word in raw.split():
        name, equals, value = word.partition("=")
        name = name.lower()
        if name not in _FIELDS or not equals:
            raise ValueError(f"{word[:60]!r} is not 'field=value'; {nearest(name, _FIELDS)}")
        if name in given:
            raise ValueError(f"says {name!r} twice; put both into one list, such as {name}=1,2")
        given[name] = _spans(name, value)
    if not given:
        raise ValueError("is empty; write something like 'hour=2 minute=30'")
    return CalendarTime(text=" ".join(raw.split()), **given)


def parse_timezone(raw: str) -> str:
    """The name of a time zone, such as Europe/Berlin. Raises ValueError."""
    known = available_timezones()
    if raw not in known:
        folded = {name.lower(): name for name in known}
        if raw.lower() in folded:
            return folded[raw.lower()]
        hint = nearest(raw, sorted(known)) if get_close_matches(raw, known, n=1) else "write it like Europe/Berlin"
        raise ValueError(f"unknown time zone {raw[:60]!r}; {hint}")
    return raw


def parse_catchup(raw: str) -> float:
    """How long a run that was missed is made up for, in seconds; at least 10. Raises ValueError."""
    catchup_s = parse_time_limit(raw)
    if catchup_s < _MIN_CATCHUP_S:
        raise ValueError(f"must be at least 10 seconds; got {raw[:60]!r}")
    return catchup_s


def parse_moment(raw: str, timezone: str) -> datetime:
    """A moment from `2026-11-21` or `2026-11-21T02:30`, in `timezone` unless it names its own. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(raw.strip())
    except ValueError:
        raise ValueError(f"must be a date or time such as 2026-11-21T02:30; got {raw[:60]!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))


def interval_text(every: timedelta, offset: timedelta) -> str:
    """An interval as one would write it."""
    return f"every {_duration(every)}" + (f"/{_duration(offset)}" if offset else "")


def _duration(given: timedelta) -> str:
    seconds = int(given.total_seconds())
    parts = (
        (seconds // 86_400, "d"),
        (seconds % 86_400 // 3600, "h"),
        (seconds % 3600 // 60, "m"),
        (seconds % 60, "s"),
    )
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _spans(name: str, value: str) -> tuple[Span, ...]:
    return tuple(span for piece in value.lower().split(",") for span in _pieces(name, piece))


def _pieces(name: str, piece: str) -> tuple[Span, ...]:
    """The numbers of one piece; a range of weekdays may run over Saturday."""
    field = _FIELDS[name]
    match = _PIECE.fullmatch(piece)
    if not match:
        raise ValueError(f"{piece[:40]!r} is no value of {name}: write a number, a range 1-5 or '*', a step as in */2")
    step = int(match[3] or 1)
    first = field.least if match[1] is None else _number(name, field, match[1])
    last = field.most if match[1] is None or match[3] else first
    if match[2]:
        last = _number(name, field, match[2])
    if name == "weekday" and step == 1 and last < first:
        return Span(first=first, last=field.most), Span(first=field.least, last=last)
    if step == 0 or last < first:
        raise ValueError(f"{piece[:40]!r} is no range of {name}")
    return (Span(first=first, last=last, step=step),)


def _number(name: str, field: _Field, text: str) -> int:
    word = text[:3] if text.isalpha() else text
    if word in field.names:
        return field.least + field.names.index(word)
    number = int(text) if text.isdecimal() and len(text) <= 4 else -1
    if name == "weekday" and number == 7:
        return 0
    if not field.least <= number <= field.most:
        raise ValueError(f"{text[:40]!r} is no {name}: it must be from {field.least} to {field.most}")
    return number
