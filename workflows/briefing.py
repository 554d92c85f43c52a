"""What comes before the plan: the architecture that it must follow."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.calls import PromptParts
    from orchestrator.domain.advising import (
        LONG_TEXT_BYTES,
        app_type_for,
        architecture_lines,
        decided,
        described,
        is_settled,
    )
    from orchestrator.domain.apps import Architecture, ArchitectureWishes
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.routing import Work
    from orchestrator.domain.tasks import Stage, TaskType

from workflows.context import RunContext
from workflows.model_calls import PROJECT, call_model


async def advise(ctx: RunContext) -> None:
    """Decide the architecture, once: the user's wishes over a model's advice. A run without advice goes on."""
    state, wishes = ctx.state, ctx.spec.wishes
    wanted = ctx.spec.advise or wishes != ArchitectureWishes()
    if wanted and state.architecture is None and not state.plan:
        advised = await _advice(ctx) if ctx.spec.advise and not is_settled(wishes) else None
        if state.failure:
            return
        defaults = Architecture(app_type=app_type_for(wishes, advised))
        state.architecture = decided(wishes, advised, defaults)
        ctx.emit("advised", ", ".join(text for _, text in described(state.architecture)))
    if ctx.spec.advise_only:
        ctx.stop(ProjectStatus.CANCELLED, f"advised only; 'orch-cli resume {ctx.spec.project_id}' builds it")
        await ctx.gate()


async def _advice(ctx: RunContext) -> Architecture | None:
    parts = _texts(ctx).model_copy(update={"architecture": architecture_lines(ctx.spec.wishes)})
    result = await call_model(ctx, _work(ctx, Stage.ADVISE), parts, generation=ctx.state.generation)
    if not isinstance(result, GiveUp):
        for note in result.notes:
            ctx.note(f"architecture: {note}")
        return result.architecture
    ctx.forget_calls(PROJECT)
    ctx.emit("advice_failed", result.reason)
    if ctx.spec.advise_only:
        ctx.state.failure, ctx.state.exhausted = f"no advice: {result.reason}", result.exhausted
    else:
        ctx.note(f"nobody advised an architecture ({result.reason}): the plan decides")
    return None


def _texts(ctx: RunContext) -> PromptParts:
    assert ctx.state.prepared is not None
    return PromptParts(project=ctx.state.prepared.project, criteria=ctx.state.prepared.criteria)


def _work(ctx: RunContext, stage: Stage) -> Work:
    """A long text is one for a model that reasons."""
    parts = _texts(ctx)
    is_long = parts.project.size + parts.criteria.size > LONG_TEXT_BYTES
    task_type = TaskType.COMPLEX_REASONING if is_long else TaskType.CODE_REVIEW
    return Work(task=PROJECT, type=task_type, stage=stage)
