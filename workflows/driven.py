"""What every run's workflow does beside its own work: it is driven to its end, painted, paused, resumed and read."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.project import BreakerView, EventPage
    from orchestrator.contracts.tools import CallRecord
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.text import one_line

from workflows import views
from workflows.calling import CallContext
from workflows.driven_context import DrivenContext

_Result = TypeVar("_Result")


def reject(reason: str) -> None:
    """Raises where there is a reason: the update is then refused and leaves no trace."""
    if reason:
        raise ApplicationError(reason, type="Rejected", non_retryable=True)


class DrivenRun:
    """Base of workflows. The workflow sets `ctx` in its initialiser and gives its own work to `conduct`."""

    ctx: DrivenContext
    closed = False  # the work is over: what goes on beside it ends

    def details(self) -> Callable[[], str]:
        """What renders the run as Markdown for the Web UI; called after each event."""
        raise NotImplementedError

    def show(self) -> None:
        """Make the run findable by what it is doing."""
        raise NotImplementedError

    async def conduct(self, drive: Coroutine[Any, Any, _Result], *beside: Coroutine[Any, Any, None]) -> _Result:
        """The result of `drive`, once nothing is left that could lose a message.

        A request to cancel stops the run, which then ends by itself. `beside` goes on until `closed`.
        """
        driver = asyncio.create_task(drive)
        others = [asyncio.create_task(each) for each in (*beside, self._paint())]
        try:
            await workflow.wait_condition(driver.done)
        except asyncio.CancelledError:
            self.ctx.stop(ProjectStatus.CANCELLED, "cancelled on request")
            await workflow.wait_condition(driver.done)
        self.closed = True
        for other in others:
            await other
        result = await driver
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def _paint(self) -> None:
        """Keeps the Web UI's details current: after each event, without events of its own."""
        ctx, painted, text = self.ctx, 0, self.details()
        while not self.closed:
            painted = ctx.state.next_event
            workflow.set_current_details(text())
            await workflow.wait_condition(lambda: self.closed or ctx.state.next_event != painted)  # noqa: B023

    @workflow.signal(name=names.SIGNAL_PAUSE, description="Start nothing new; what is in flight finishes.")
    def pause(self, reason: str = "", by: str = "") -> None:
        self.ctx.hold(Hold.OPERATOR, one_line(reason), one_line(by))
        self.show()

    @workflow.signal(name=names.SIGNAL_RESUME, description="Go on after a pause.")
    def resume(self, by: str = "") -> None:
        self.ctx.release(Hold.OPERATOR, Hold.BUDGET, by=one_line(by))
        self.show()

    @workflow.query(name=names.QUERY_EVENTS)
    def events(self, since: int = 0) -> EventPage:
        """Events after sequence number `since`, at most 500."""
        return views.events_page(self.ctx, since)


class CallingRun(DrivenRun):
    """Base of workflows that ask models."""

    ctx: CallContext

    @workflow.query(name=names.QUERY_BREAKERS)
    def breakers(self) -> tuple[BreakerView, ...]:
        return views.breaker_views(self.ctx)

    @workflow.query(name=names.QUERY_AUDIT)
    def audit(self, page: int = 0) -> tuple[CallRecord, ...]:
        """Settled calls since the last flush to the store, 200 a page."""
        return tuple(self.ctx.state.records[page * views.PAGE : (page + 1) * views.PAGE])
