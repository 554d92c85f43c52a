"""What queries, the Web UI and the result show of a run."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import workflow_id
    from orchestrator.contracts.project import BreakerView, EventPage, ProjectView, TaskView
    from orchestrator.domain.breaker import CircuitState
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.markdown import cell, dollars
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import Ending, ProjectStatus, quality
    from orchestrator.domain.steps import FINAL
    from orchestrator.domain.tasks import PROJECT, TaskSpec

from workflows.calling import CallContext
from workflows.context import RunContext
from workflows.driven_context import DrivenContext

PAGE = 200
EVENTS_PAGE = 500
_ROWS_IN_DETAILS = 60


def task_view(ctx: RunContext, task: TaskSpec) -> TaskView:
    """One task."""
    state = ctx.task(task.id)
    spending = ctx.state.spending.get(task.id)
    version = state.best or state.current or state.replaced
    planned = () if state.status in FINAL else task.files  # a task that ended without a result has none
    return TaskView(
        id=task.id,
        title=task.title,
        type=task.type,
        status=state.status.value,
        stage=", ".join(ctx.doing.get(task.id, ())),
        score=state.best.score if state.best else None,
        model=version.author if version else "",
        reviewer=state.reviewer,
        iterations=0 if state.current is None and state.best is None else state.iteration,
        spent_micro=sum(spending.by_stage.values()) if spending else 0,
        uncertain_micro=sum(spending.uncertain.values()) if spending else 0,
        files=version.draft.paths if version else planned,
        reason=state.reason,
        spent_by_stage=spending.by_stage if spending else {},
        attempts=state.attempts,
    )


def tasks_page(ctx: RunContext, page: int) -> tuple[TaskView, ...]:
    """Tasks in plan order, 200 a page, pages counted from 0."""
    return tuple(task_view(ctx, task) for task in ctx.state.plan[page * PAGE : (page + 1) * PAGE])


def status(ctx: RunContext) -> ProjectStatus:
    """What the run is doing: its phase, or what it waits for."""
    if awaits(ctx):
        return ProjectStatus.WAITING_APPROVAL
    return ProjectStatus.PAUSED if ctx.paused else ctx.state.phase


def awaits(ctx: RunContext) -> str:
    """What a person is to decide before the run goes on; empty where it waits for nobody."""
    holds = ctx.state.clock.holds
    return "suggestions" if Hold.SUGGESTIONS in holds else "plan" if Hold.APPROVAL in holds else ""


def project_view(ctx: RunContext, end: Ending | None = None, with_tasks: bool = False) -> ProjectView:
    """The head of the run, without its tasks unless asked for; with an ending, the result with all of them."""
    state = ctx.state
    own = state.spending.get(PROJECT)
    return ProjectView(
        project_id=ctx.spec.project_id,
        workflow_id=workflow_id(ctx.spec.project_id),
        status=end.status if end else status(ctx),
        spent_micro=state.ledger.spent_micro,
        uncertain_micro=state.ledger.uncertain_micro,
        reserved_micro=state.ledger.reserved_micro,
        max_micro=state.ledger.max_micro,
        quality_score=quality(list(state.tasks.values())),
        calls=calls(ctx),
        elapsed_s=round(ctx.active_s(), 3),
        simulated=ctx.simulated(),
        sandbox=state.prepared.sandbox if state.prepared else "",
        reason=end.reason if end else state.clock.reason,
        awaits="" if end else awaits(ctx),
        notes=state.notes,
        tasks_done=tasks_done(ctx),
        tasks_total=len(state.plan),
        tasks=tuple(task_view(ctx, task) for task in state.plan) if end or with_tasks else (),
        spent_by_stage=own.by_stage if own else {},
        architecture=state.architecture,
        criteria=state.integration.best.criteria if state.integration.best else (),
    )


def events_page(ctx: DrivenContext, since: int) -> EventPage:
    """Events after sequence number `since`, at most 500, and where the earlier ones are."""
    events, state = ctx.state.events, ctx.state
    first = events[0].seq if events else state.next_event
    skip = max(0, since + 1 - first)
    segments = state.event_segments if since + 1 < first else ()
    return EventPage(events=tuple(events[skip : skip + EVENTS_PAGE]), segments=segments)


def breaker_views(ctx: CallContext) -> tuple[BreakerView, ...]:
    """Every circuit that has seen a failure."""
    return tuple(
        BreakerView(
            scope=scope,
            state=circuit.state.value,
            strikes=circuit.strikes,
            reason=circuit.reason,
            open_until_s=circuit.open_until_s if circuit.state is CircuitState.OPEN else None,
        )
        for scope, circuit in ctx.state.breakers.circuits.items()
    )


class Details:
    """The run as Markdown, for the Web UI. Rendered after every event, so a row is made anew only for a new state."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._rows: dict[str, tuple[tuple[object, ...], str]] = {}

    def text(self, end: Ending | None = None) -> str:
        """Head and table; at most 60 tasks."""
        ctx, plan, ledger = self._ctx, self._ctx.state.plan, self._ctx.state.ledger
        simulated = " (simulated models)" if ctx.simulated() else ""
        money = dollars(usd(ledger.spent_micro), usd(ledger.max_micro))
        done = f"{tasks_done(ctx)} of {len(plan)} tasks"
        shown = end.status if end else status(ctx)
        lines = [f"**{shown.value}**{simulated} · {done} · {money} · {calls(ctx)} calls"]
        reason = end.reason if end else ctx.state.clock.reason
        if reason:
            lines += ["", cell(reason)]
        if plan:
            lines += ["", "| task | status | now | model | score | usd |", "|---|---|---|---|---|---|"]
            lines += [self._row(task) for task in plan[:_ROWS_IN_DETAILS]]
        if len(plan) > _ROWS_IN_DETAILS:
            lines.append(f"\n… and {len(plan) - _ROWS_IN_DETAILS} more tasks")
        return "\n".join(lines)

    def _row(self, task: TaskSpec) -> str:
        ctx = self._ctx
        made_of = (task, ctx.task(task.id), ctx.state.spending.get(task.id), tuple(ctx.doing.get(task.id, ())))
        known, row = self._rows.get(task.id, ((), ""))
        if known != made_of:
            view = task_view(ctx, task)
            score = "" if view.score is None else f"{view.score:.2f}"
            row = (
                f"| {view.id} {cell(view.title)} | {view.status} | {view.stage} | {view.model} | {score}"
                f" | {usd(view.spent_micro):.4f} |"
            )
            self._rows[task.id] = made_of, row
        return row


def tasks_done(ctx: RunContext) -> int:
    """Tasks that have a final status."""
    return sum(task.status in FINAL for task in ctx.state.tasks.values())


def calls(ctx: CallContext) -> int:
    """Requests that were settled."""
    return sum(spending.calls for spending in ctx.state.spending.values())
