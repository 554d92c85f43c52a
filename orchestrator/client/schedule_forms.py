"""Schedules as users see them, and their forms on the wire of Temporal."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleInfo,
    ScheduleIntervalSpec,
    ScheduleListDescription,
    ScheduleListInfo,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)

from orchestrator.client.timing import CalendarTime, Interval, Span, interval_text
from orchestrator.contracts.batch import BatchSpec
from orchestrator.contracts.names import batch_workflow_id
from orchestrator.domain.base import Frozen


class Overlap(StrEnum):
    """What happens to a run that is due while another one goes on."""

    SKIP = "skip"
    BUFFER = "buffer"  # one waits
    ALLOW = "allow"
    CANCEL = "cancel"  # the other one and its projects end


_OVERLAPS = {
    Overlap.SKIP: ScheduleOverlapPolicy.SKIP,
    Overlap.BUFFER: ScheduleOverlapPolicy.BUFFER_ONE,
    Overlap.ALLOW: ScheduleOverlapPolicy.ALLOW_ALL,
    Overlap.CANCEL: ScheduleOverlapPolicy.CANCEL_OTHER,
}


class Timing(Frozen):
    """When a schedule fires: at every point of its calendars and intervals. None: as before, or the default."""

    calendars: tuple[CalendarTime, ...] = ()
    intervals: tuple[Interval, ...] = ()
    timezone: str | None = None
    jitter_s: float | None = None
    overlap: Overlap | None = None
    catchup_s: float | None = None

    @property
    def tells_when(self) -> bool:
        return bool(self.calendars or self.intervals)


class ScheduledRun(Frozen):
    """One run of a schedule. Times are seconds since the epoch."""

    batch_id: str
    scheduled_s: float
    started_s: float


class ScheduleRow(Frozen):
    """One schedule in a list. Times are seconds since the epoch."""

    name: str
    when: tuple[str, ...]
    timezone: str
    paused: bool
    next_s: tuple[float, ...]
    recent: tuple[ScheduledRun, ...]  # the latest first


class ScheduleView(ScheduleRow):
    """A schedule with what it runs: `batch` is the input of its runs."""

    jitter_s: float
    overlap: str
    catchup_s: float
    note: str
    batch: BatchSpec
    running: tuple[str, ...]  # ids of batches
    waiting: int  # runs that are due and wait for another one to end
    fired: int
    skipped: int  # due while another run went on
    missed: int  # due while the server was down, for longer than the catch-up window


def spec_of(timing: Timing, old: ScheduleSpec | None = None) -> ScheduleSpec:
    """When to fire, on top of what there was."""
    spec = old or ScheduleSpec(time_zone_name="UTC")
    if timing.tells_when:
        calendars = [_calendar(one) for one in timing.calendars]
        intervals = [
            ScheduleIntervalSpec(every=timedelta(seconds=one.every_s), offset=timedelta(seconds=one.offset_s))
            for one in timing.intervals
        ]
        spec = replace(spec, calendars=calendars, intervals=intervals)
    if timing.timezone is not None:
        spec = replace(spec, time_zone_name=timing.timezone)
    if timing.jitter_s is not None:
        spec = replace(spec, jitter=timedelta(seconds=timing.jitter_s))
    return spec


def policy_of(timing: Timing, old: SchedulePolicy | None = None) -> SchedulePolicy:
    """What to do about overlaps and missed runs, on top of what there was."""
    policy = old or SchedulePolicy()
    if timing.overlap is not None:
        policy = replace(policy, overlap=_OVERLAPS[timing.overlap])
    if timing.catchup_s is not None:
        policy = replace(policy, catchup_window=timedelta(seconds=timing.catchup_s))
    return policy


def row_of(name: str, spec: ScheduleSpec, info: ScheduleInfo | ScheduleListInfo, paused: bool) -> ScheduleRow:
    """What a list shows."""
    calendars = [one.comment or "calendar" for one in spec.calendars]
    intervals = [interval_text(one.every, one.offset or timedelta()) for one in spec.intervals]
    return ScheduleRow(
        name=name,
        when=(*intervals, *calendars),
        timezone=spec.time_zone_name or "UTC",
        paused=paused,
        next_s=tuple(moment.timestamp() for moment in info.next_action_times),
        recent=_recent(info),
    )


def listed_row(listed: ScheduleListDescription, workflow: str) -> ScheduleRow | None:
    """A row; None where the schedule starts another workflow than ours."""
    schedule, info = listed.schedule, listed.info
    if schedule is None or info is None or getattr(schedule.action, "workflow", "") != workflow:
        return None
    return row_of(listed.id, schedule.spec, info, schedule.state.paused)


def view_of(described: ScheduleDescription, batch: BatchSpec) -> ScheduleView:
    """All there is to know."""
    schedule, info = described.schedule, described.info
    names = {wire: name for name, wire in _OVERLAPS.items()}
    policy, spec = schedule.policy, schedule.spec
    return ScheduleView(
        **row_of(described.id, spec, info, schedule.state.paused).model_dump(),
        jitter_s=spec.jitter.total_seconds() if spec.jitter else 0.0,
        overlap=names[policy.overlap].value if policy.overlap in names else policy.overlap.name.lower(),
        catchup_s=policy.catchup_window.total_seconds() if policy.catchup_window else 0.0,
        note=schedule.state.note or "",
        batch=batch,
        running=tuple(
            _batch_id(one.workflow_id)
            for one in info.running_actions
            if isinstance(one, ScheduleActionExecutionStartWorkflow)
        ),
        waiting=described.raw_description.info.buffer_size,
        fired=info.num_actions,
        skipped=info.num_actions_skipped_overlap,
        missed=info.num_actions_missed_catchup_window,
    )


def edited(schedule: Schedule, timing: Timing, action: Callable[[ScheduleActionStartWorkflow], None]) -> Schedule:
    """`schedule` with another timing; `action` changes what it starts."""
    assert isinstance(schedule.action, ScheduleActionStartWorkflow)
    action(schedule.action)
    return replace(schedule, spec=spec_of(timing, schedule.spec), policy=policy_of(timing, schedule.policy))


def _recent(info: ScheduleInfo | ScheduleListInfo) -> tuple[ScheduledRun, ...]:
    runs = [
        ScheduledRun(
            batch_id=_batch_id(one.action.workflow_id),
            scheduled_s=one.scheduled_at.timestamp(),
            started_s=one.started_at.timestamp(),
        )
        for one in info.recent_actions
        if isinstance(one.action, ScheduleActionExecutionStartWorkflow)
    ]
    return tuple(reversed(runs))


def _batch_id(workflow_id: str) -> str:
    return workflow_id.removeprefix(batch_workflow_id(""))


def _calendar(time: CalendarTime) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        second=_ranges(time.second),
        minute=_ranges(time.minute),
        hour=_ranges(time.hour),
        day_of_month=_ranges(time.day),
        month=_ranges(time.month),
        year=_ranges(time.year),
        day_of_week=_ranges(time.weekday),
        comment=time.text,
    )


def _ranges(spans: Sequence[Span]) -> list[ScheduleRange]:
    return [ScheduleRange(start=one.first, end=one.last, step=one.step) for one in spans]
