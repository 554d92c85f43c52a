"""What queries, the Web UI, the list and the result show of a pipeline's run."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import pipeline_workflow_id
    from orchestrator.contracts.pipeline import PipelineView, StepFacts, StepView
    from orchestrator.contracts.state import Spending
    from orchestrator.domain.markdown import cell, dollars
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import Ending, ProjectStatus
    from orchestrator.domain.pipeline import ForEachStep, Step, all_steps
    from orchestrator.domain.pipeline_machine import final_output
    from orchestrator.domain.pipeline_state import FINAL, StepStatus

from workflows import views
from workflows.pipeline_context import PipelineContext

_STATUS = SearchAttributeKey.for_keyword("OrchStatus")
_PHASE = SearchAttributeKey.for_keyword("OrchPhase")
_SPENT = SearchAttributeKey.for_float("OrchSpentUsd")
_DONE = SearchAttributeKey.for_int("OrchTasksDone")
_TOTAL = SearchAttributeKey.for_int("OrchTasksTotal")
_ROWS_IN_DETAILS = 60


def status(ctx: PipelineContext) -> ProjectStatus:
    """What the run is doing."""
    return ProjectStatus.PAUSED if ctx.paused else ctx.state.phase


def pipeline_view(ctx: PipelineContext, end: Ending | None = None) -> PipelineView:
    """The run with all its steps; with an ending, its result."""
    state, pipeline = ctx.state, ctx.plan.spec
    steps = step_views(ctx)
    output = final_output(ctx.plan, state.progress) if end else None
    tops = {step.key: state.progress.steps.get(step.name) for step in pipeline.steps}
    last = [step.name for step in pipeline.steps if (found := tops[step.key]) and found.output == output]
    return PipelineView(
        run_id=ctx.run_id,
        workflow_id=pipeline_workflow_id(ctx.run_id),
        pipeline=pipeline.name,
        version=pipeline.version,
        description=pipeline.description,
        status=end.status if end else status(ctx),
        spent_micro=state.ledger.spent_micro,
        uncertain_micro=state.ledger.uncertain_micro,
        reserved_micro=state.ledger.reserved_micro,
        max_micro=state.ledger.max_micro if ctx.spec.capped else None,
        calls=views.calls(ctx),
        started_s=state.clock.started_s,
        elapsed_s=round(ctx.active_s(), 3),
        simulated=ctx.simulated(),
        reason=end.reason if end else state.clock.reason,
        notes=state.notes,
        steps_done=sum(step.status in FINAL for step in steps),
        steps_total=len(steps),
        steps=steps,
        output=output,
        output_preview=state.facts.get(last[-1], StepFacts()).output_preview if output and last else "",
        outputs={key: found.output for key, found in tops.items() if found and found.output},
    )


def step_views(ctx: PipelineContext) -> tuple[StepView, ...]:
    """All steps in the order of the file. One within a for_each stands for all its instances."""
    found = _doing(ctx)
    return tuple(_step_view(ctx, step, found.get(step.name, [])) for step in all_steps(ctx.plan.spec.steps))


def _doing(ctx: PipelineContext) -> dict[str, list[str]]:
    doing: dict[str, list[str]] = {}
    for task, lines in ctx.doing.items():
        if lines:
            doing.setdefault(ctx.account(task), []).extend(lines)
    return doing


def _step_view(ctx: PipelineContext, step: Step, doing: list[str]) -> StepView:
    state, node = ctx.state, ctx.plan.nodes[step.name]
    facts, money = state.facts.get(step.name, StepFacts()), state.spending.get(step.name, Spending())
    looped = any(isinstance(ctx.plan.steps[holder], ForEachStep) for holder in node.holders)
    instance = "/".join((*node.holders, step.name))
    found = None if looped else state.progress.steps.get(instance)
    shown = _status_in_loop(ctx, node.holders) if looped else state.progress.status(instance)
    loop = isinstance(step, ForEachStep)
    return StepView(
        name=step.name,
        kind=step.step_type,
        depth=len(node.holders),
        output_key=step.key,
        status=shown.value,
        doing=", ".join(doing[:2]) + (f" and {len(doing) - 2} more" if len(doing) > 2 else ""),
        spent_micro=sum(money.by_stage.values()),
        uncertain_micro=sum(money.uncertain.values()),
        started_s=found.started_s if found else 0.0,
        ended_s=found.ended_s if found else 0.0,
        done=found.begun - len(found.active) if loop and found else 0,
        total=found.count if loop and found else 0,
        output=found.output if found else None,
        reason=found.reason if found else "",
        **facts.model_dump(exclude={"prompt"}),
    )


def _status_in_loop(ctx: PipelineContext, holders: tuple[str, ...]) -> StepStatus:
    """A step in a loop is where its outermost loop is, as far as one word tells."""
    for depth, holder in enumerate(holders):
        if isinstance(ctx.plan.steps[holder], ForEachStep):
            return ctx.state.progress.status("/".join(holders[: depth + 1]))
    return StepStatus.PENDING


class PipelineDetails:
    """The run as Markdown, for the Web UI. Rendered after every event, so a row is made anew only where it changed."""

    def __init__(self, ctx: PipelineContext) -> None:
        self._ctx = ctx
        self._shown = tuple(all_steps(ctx.plan.spec.steps))[:_ROWS_IN_DETAILS]
        self._rows: dict[str, tuple[tuple[object, ...], str]] = {}

    def text(self, end: Ending | None = None) -> str:
        """Head and table; at most 60 steps."""
        ctx = self._ctx
        ledger, total = ctx.state.ledger, len(ctx.plan.steps)
        money = dollars(usd(ledger.spent_micro), usd(ledger.max_micro) if ctx.spec.capped else None)
        simulated = " (simulated models)" if ctx.simulated() else ""
        head = f"{simulated} · {total} steps · {money} · {views.calls(ctx)} calls"
        lines = [f"**{(end.status if end else status(ctx)).value}**{head}"]
        reason = end.reason if end else ctx.state.clock.reason
        if reason:
            lines += ["", cell(reason)]
        lines += ["", "| step | kind | status | now | model | usd |", "|---|---|---|---|---|---|"]
        doing = _doing(ctx)
        lines += [self._row(step, doing.get(step.name, [])) for step in self._shown]
        if total > len(self._shown):
            lines.append(f"\n… and {total - len(self._shown)} more steps")
        return "\n".join(lines)

    def _row(self, step: Step, doing: list[str]) -> str:
        ctx, state = self._ctx, self._ctx.state
        holders = ctx.plan.nodes[step.name].holders
        outer = state.progress.steps.get(holders[0]) if holders else None
        own = state.progress.steps.get("/".join((*holders, step.name)))
        made_of = (own, outer, state.facts.get(step.name), state.spending.get(step.name), tuple(doing))
        known, row = self._rows.get(step.name, ((), ""))
        if known != made_of:
            view = _step_view(ctx, step, doing)
            elements = f" {view.done} of {view.total}" if view.total else ""
            row = (
                f"| {'· ' * view.depth}{view.name} | {view.kind} | {view.status}{elements} | {cell(view.doing)}"
                f" | {cell(view.model)} | {usd(view.spent_micro):.4f} |"
            )
            self._rows[step.name] = made_of, row
        return row


def show_search_attributes(ctx: PipelineContext, shown: ProjectStatus) -> None:
    """Make the run findable by what it is doing."""
    if not ctx.spec.search_attributes:
        return
    tops = [ctx.state.progress.status(step.name) for step in ctx.plan.spec.steps]
    updates: list[SearchAttributeUpdate[Any]] = [
        _STATUS.value_set(shown.value),
        _PHASE.value_set(ctx.state.phase.value),
        _SPENT.value_set(usd(ctx.state.ledger.spent_micro)),
        _DONE.value_set(sum(each in FINAL for each in tops)),
        _TOTAL.value_set(len(tops)),
    ]
    workflow.upsert_search_attributes(updates)
