"""Schedules in a Temporal namespace: each starts the same batch again and again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.month_ledger import MonthLedger
from orchestrator.client.batch_spec import PlannedBatch, store_batch
from orchestrator.client.rpc import rpc_errors
from orchestrator.client.schedule_forms import (
    Overlap,
    ScheduleRow,
    ScheduleView,
    Timing,
    edited,
    listed_row,
    policy_of,
    spec_of,
    view_of,
)
from orchestrator.client.site import Site
from orchestrator.client.urgency import team_attribute, urgency
from orchestrator.contracts.batch import BatchInput, BatchSpec
from orchestrator.contracts.delivery import Delivery, ScheduleTerms
from orchestrator.contracts.details import STEERING
from orchestrator.contracts.names import (
    BATCH_WORKFLOW,
    MEMO_BATCH,
    MEMO_MAX_USD,
    QUEUE_WORKFLOWS,
    batch_workflow_id,
)
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.text import one_line

_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
# A schedule is itself a workflow of the server, which answers between its own tasks.
_TIMEOUT = timedelta(seconds=20)
_STARTED_S = 15.0  # after a trigger
_LOOK_S = 0.1
# A backfill is meant to run all that was missed: what a schedule drops when it is late is kept here.
_BACKFILLS = {
    Overlap.SKIP: ScheduleOverlapPolicy.SKIP,
    Overlap.BUFFER: ScheduleOverlapPolicy.BUFFER_ALL,
    Overlap.ALLOW: ScheduleOverlapPolicy.ALLOW_ALL,
    Overlap.CANCEL: ScheduleOverlapPolicy.CANCEL_OTHER,
}


@dataclass(frozen=True)
class Changes:
    """What an update changes; None: as it is. Amounts are micro-USD; a `plan` comes with its `file`."""

    timing: Timing
    plan: PlannedBatch | None = None
    file: Path | None = None
    month_micro: int | None = None
    delivery: Delivery | None = None


class Schedules:
    """Schedules of batches.

    Every method raises PrerequisiteError, in one line, where Temporal, the worker or the store is silent, and
    UserInputError where there is no such schedule or the server does not accept what was asked.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def create(
        self,
        name: str,
        plan: PlannedBatch,
        file: Path,
        timing: Timing,
        *,
        month_micro: int | None,
        delivery: Delivery | None,
        paused: bool,
        by: str,
    ) -> ScheduleView:
        """Makes a schedule that runs what `plan` holds now, whatever becomes of its files."""
        registered = await self._site.ready()
        timezone = timing.timezone or "UTC"
        stored = await store_batch(plan, self._site.store)
        batch = stored.model_copy(
            update={
                "search_attributes": registered,
                "schedule": ScheduleTerms(name=name, timezone=timezone, file=str(file), month_micro=month_micro),
                "delivery": delivery and delivery.model_copy(update={"timezone": timezone}),
            }
        )
        state = ScheduleState(paused=paused, note=f"created paused by {by}" if paused else None)
        schedule = Schedule(self._action(name, batch), spec_of(timing), policy_of(timing), state)
        with self._errors(name):
            try:
                await self._client.create_schedule(name, schedule, rpc_timeout=_TIMEOUT)
            except ScheduleAlreadyRunningError:
                raise UserInputError(
                    f"there is a schedule {name!r} already; 'orch-cli schedule update {name}' changes it"
                ) from None
        return await self.view(name)

    async def rows(self, limit: int) -> list[ScheduleRow]:
        """All schedules that start batches, by name."""
        rows: list[ScheduleRow] = []
        with rpc_errors(self._address):
            async for listed in await self._client.list_schedules(rpc_timeout=_TIMEOUT):
                row = listed_row(listed, BATCH_WORKFLOW)
                rows += [row] if row else []
                if len(rows) >= limit:
                    break
        return sorted(rows, key=lambda row: row.name)

    async def view(self, name: str) -> ScheduleView:
        """The schedule as it is now."""
        with self._errors(name):
            described = await self._handle(name).describe(rpc_timeout=_TIMEOUT)
        return view_of(described, (await self._input(name, described.schedule)).spec)

    async def month_spent(self, view: ScheduleView) -> int:
        """What the runs of the present month have spent or may spend, in micro-USD; 0 without a monthly budget."""
        terms = view.batch.schedule
        if terms is None or terms.month_micro is None:
            return 0
        return await MonthLedger(self._site.store, self._client.namespace).spent(terms, datetime.now(UTC).timestamp())

    async def pause(self, name: str, note: str) -> None:
        """Fires no more; what runs goes on."""
        with self._errors(name):
            await self._handle(name).pause(note=note, rpc_timeout=_TIMEOUT)

    async def resume(self, name: str, note: str) -> None:
        """Fires again."""
        with self._errors(name):
            await self._handle(name).unpause(note=note, rpc_timeout=_TIMEOUT)

    async def trigger(self, name: str) -> str | None:
        """Fires once, now; the id of the batch, or None where another run goes on and this one was left out or waits.

        Works while the schedule is paused.
        """
        before = await self.view(name)
        await _into_the_next_second(before)
        with self._errors(name):
            await self._handle(name).trigger(rpc_timeout=_TIMEOUT)
        known = {run.batch_id for run in before.recent} | set(before.running)
        deadline = asyncio.get_running_loop().time() + _STARTED_S
        while asyncio.get_running_loop().time() < deadline:
            now = await self.view(name)
            for run in now.recent:
                if run.batch_id not in known:
                    return run.batch_id
            buffered = now.overlap == Overlap.BUFFER and now.waiting > before.waiting
            if now.skipped > before.skipped or buffered:
                return None
            await asyncio.sleep(_LOOK_S)
        return None

    async def backfill(self, name: str, start: datetime, end: datetime, overlap: Overlap) -> None:
        """Runs all that was due from `start` to `end`; BUFFER: one after the other."""
        span = ScheduleBackfill(start_at=start, end_at=end, overlap=_BACKFILLS[overlap])
        with self._errors(name):
            await self._handle(name).backfill(span, rpc_timeout=_TIMEOUT)

    async def update(self, name: str, changes: Changes) -> ScheduleView:
        """Changes a schedule from its next run on; runs under way stay as they are."""
        if changes.plan is not None:
            await self._site.ready()
        stored = await store_batch(changes.plan, self._site.store) if changes.plan else None
        old = (await self.view(name)).batch
        batch = _changed(old, stored, changes)

        def change(action: ScheduleActionStartWorkflow) -> None:
            fresh = self._action(name, batch)
            action.args, action.memo, action.static_summary = fresh.args, fresh.memo, fresh.static_summary
            action.priority, action.typed_search_attributes = fresh.priority, fresh.typed_search_attributes

        def updated(given: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(schedule=edited(given.description.schedule, changes.timing, change))

        with self._errors(name):
            await self._handle(name).update(updated, rpc_timeout=_TIMEOUT)
        return await self.view(name)

    async def delete(self, name: str) -> None:
        """Fires no more, and is gone; what runs goes on, and results stay."""
        with self._errors(name):
            await self._handle(name).delete(rpc_timeout=_TIMEOUT)

    def _action(self, name: str, batch: BatchSpec) -> ScheduleActionStartWorkflow:
        running = TypedSearchAttributes(
            [SearchAttributePair(_STATUS, ProjectStatus.RUNNING.value), *team_attribute(batch.team)]
        )
        return ScheduleActionStartWorkflow(
            BATCH_WORKFLOW,
            BatchInput(spec=batch, by=f"schedule {name}"),
            id=batch_workflow_id(name),  # Temporal appends the time
            task_queue=QUEUE_WORKFLOWS,
            task_timeout=timedelta(seconds=batch.task_timeout_s) if batch.task_timeout_s else None,
            memo={MEMO_BATCH: batch.name, MEMO_MAX_USD: usd(batch.max_micro)},
            typed_search_attributes=running if batch.search_attributes else TypedSearchAttributes.empty,
            static_summary=one_line(f"{name}: {batch.name}", 100),
            static_details=STEERING,
            priority=urgency(batch.team, attended=False),
        )

    async def _input(self, name: str, schedule: Schedule) -> BatchInput:
        """What the schedule starts. Raises UserInputError where that is none of our batches."""
        action = schedule.action
        if not isinstance(action, ScheduleActionStartWorkflow) or action.workflow != BATCH_WORKFLOW:
            raise UserInputError(f"schedule {name!r} starts no batch of ours")
        [given] = await self._client.data_converter.decode(list(action.args), [BatchInput])
        assert isinstance(given, BatchInput)
        return given

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """One line for the user, also where the server finds fault with what was asked."""
        with rpc_errors(self._address, unknown=f"there is no schedule {name!r}; 'orch-cli schedule list' shows them"):
            try:
                yield
            except RPCError as error:
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                raise UserInputError(f"schedule {name}: {one_line(error.message)}") from error

    @property
    def _client(self) -> Client:
        return self._site.client()

    @property
    def _address(self) -> str:
        return self._client.service_client.config.target_host

    def _handle(self, name: str) -> ScheduleHandle:
        return self._client.get_schedule_handle(name)


async def _into_the_next_second(view: ScheduleView) -> None:
    """Waits while the latest run is of this second: the server names runs by it, and two would be one."""
    now_s = datetime.now(UTC).timestamp()
    if view.recent and int(view.recent[0].started_s) == int(now_s):
        await asyncio.sleep(1.0 - now_s % 1.0)


def _changed(old: BatchSpec, stored: BatchSpec | None, changes: Changes) -> BatchSpec:
    """The input of the next runs: what a new file says, with the rest as it was unless it is changed too."""
    assert old.schedule is not None
    timezone = changes.timing.timezone or old.schedule.timezone
    month_micro = old.schedule.month_micro if changes.month_micro is None else changes.month_micro
    file = old.schedule.file if changes.file is None else str(changes.file)
    terms = old.schedule.model_copy(update={"timezone": timezone, "month_micro": month_micro, "file": file})
    delivery = old.delivery if changes.delivery is None else changes.delivery
    batch = stored or old
    return batch.model_copy(
        update={
            "schedule": terms,
            "delivery": delivery and delivery.model_copy(update={"timezone": timezone}),
            "search_attributes": old.search_attributes,
        }
    )
