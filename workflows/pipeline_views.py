"""What queries, the Web UI, the list and the result show of a pipeline's run."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import pipeline_workflow_id
    from orchestrator.contracts.pipeline import PipelineView, StepFacts, StepView
    from orchestrator.contracts.state import Spending
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


def details(ctx: PipelineContext, end: Ending | None = None) -> str:
    """The run as Markdown, for the Web UI; at most 60 steps."""
    view = pipeline_view(ctx, end)
    budget = f" of ${usd(view.max_micro):.2f}" if view.max_micro is not None else ""
    simulated = " (simulated models)" if view.simulated else ""
    done = f"{view.steps_done}/{view.steps_total} steps"
    lines = [f"**{view.status.value}**{simulated} · {done} · ${usd(view.spent_micro):.4f}{budget} · {view.calls} calls"]
    if view.reason:
        lines += ["", _plain(view.reason)]
    lines += ["", "| step | kind | status | now | model | usd |", "|---|---|---|---|---|---|"]
    for step in view.steps[:_ROWS_IN_DETAILS]:
        elements = f" {step.done}/{step.total}" if step.total else ""
        name = f"{'· ' * step.depth}{step.name}"
        lines.append(
            f"| {name} | {step.kind} | {step.status}{elements} | {_plain(step.doing)} | {step.model}"
            f" | {usd(step.spent_micro):.4f} |"
        )
    if len(view.steps) > _ROWS_IN_DETAILS:
        lines.append(f"\n… and {len(view.steps) - _ROWS_IN_DETAILS} more steps")
    return "\n".join(lines)


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


def _plain(text: str) -> str:
    return "".join(" " if ch in "|<>`*_[]()#\r\n" else ch for ch in text)[:80]
