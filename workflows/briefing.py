"""What comes before the plan: a better project text, and the architecture that the plan must follow."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.calls import PromptParts
    from orchestrator.contracts.tools import ApplyInput, ApplyResult
    from orchestrator.domain.advising import (
        architecture_lines,
        decided,
        described,
        is_settled,
        type_of_brief,
    )
    from orchestrator.domain.app_names import software_name
    from orchestrator.domain.apps import Architecture, ArchitectureWishes, EnhanceMode
    from orchestrator.domain.calls import GiveUp
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.enhancing import Enhancement
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.routing import Work
    from orchestrator.domain.tasks import PROJECT, Stage

from workflows import views
from workflows.context import RunContext
from workflows.model_calls import call_model
from workflows.records import save_state, show_search_attributes


async def enhance(ctx: RunContext) -> None:
    """Ask for suggestions, once, have them chosen, and work with the texts that follow from the choice."""
    state = ctx.state
    if state.enhancement is None:
        if ctx.spec.enhance is EnhanceMode.OFF or state.plan:
            return
        state.enhancement = await _suggestions(ctx)
    if state.enhancement.chosen is None:
        if ctx.spec.enhance is EnhanceMode.ASK:
            await _wait_for_choice(ctx, len(state.enhancement.suggestions))
        else:
            choose(ctx, tuple(one.id for one in state.enhancement.suggestions))
    await _apply(ctx)


def choose(ctx: RunContext, accepted: tuple[str, ...], *, by: str = "") -> str:
    """Settle which suggestions are applied; returns one line that says so."""
    enhancement = ctx.state.enhancement
    assert enhancement is not None
    offered = enhancement.suggestions
    if enhancement.chosen is None:
        ctx.state.enhancement = enhancement.model_copy(
            update={"chosen": tuple(one.id for one in offered if one.id in accepted)}
        )
        for one in offered:
            kind = "suggestion_applied" if one.id in accepted else "suggestion_dropped"
            ctx.emit(kind, f"{one.id} {one.kind.value}: {one.title}", by=by)
        ctx.release(Hold.SUGGESTIONS, by=by)
    return f"{sum(one.id in accepted for one in offered)} of {len(offered)} suggestions are applied"


async def _suggestions(ctx: RunContext) -> Enhancement:
    parts = _texts(ctx)
    result = await call_model(ctx, _work(ctx, Stage.ENHANCE), parts, generation=ctx.state.generation)
    if isinstance(result, GiveUp):
        ctx.forget_calls(PROJECT)
        ctx.emit("enhancement_failed", result.reason)
        ctx.note(f"nobody made suggestions for the project text ({result.reason}): it stays as it is")
        return Enhancement(project=parts.project, criteria=parts.criteria, chosen=())
    for note in result.notes:
        ctx.note(f"enhancement: {note}")
    ctx.emit("enhanced", f"{len(result.suggestions)} suggestions by {result.model}")
    return Enhancement(
        suggestions=result.suggestions,
        texts=result.suggestions_ref,
        chosen=None if result.suggestions else (),
        project=parts.project,
        criteria=parts.criteria,
    )


async def _wait_for_choice(ctx: RunContext, count: int) -> None:
    ctx.hold(Hold.SUGGESTIONS, f"{count} suggestions for the project text wait for a choice")
    show_search_attributes(ctx, views.status(ctx))
    await save_state(ctx, views.project_view(ctx, with_tasks=True))
    await ctx.gate()


async def _apply(ctx: RunContext) -> None:
    """Also in a run that was resumed: it begins with the texts as the user wrote them."""
    enhancement, prepared = ctx.state.enhancement, ctx.state.prepared
    assert enhancement is not None and prepared is not None
    original = (enhancement.project, enhancement.criteria)
    if not enhancement.chosen or enhancement.texts is None or original != (prepared.project, prepared.criteria):
        return
    given = ApplyInput(
        project=enhancement.project,
        criteria=enhancement.criteria,
        suggestions=enhancement.texts,
        chosen=enhancement.chosen,
    )
    try:
        texts: ApplyResult = await ctx.tool(
            names.ACTIVITY_APPLY_SUGGESTIONS, given, ApplyResult, f"{len(enhancement.chosen)} suggestions"
        )
    except ActivityError as error:  # the store has lost a text
        ctx.note(f"the suggestions are not applied: {error.cause or error}"[:200])
        return
    ctx.state.prepared = prepared.model_copy(update={"project": texts.project, "criteria": texts.criteria})


async def advise(ctx: RunContext) -> None:
    """Decide the architecture, once: the user's wishes over a model's advice. A run without advice goes on."""
    state, wishes = ctx.state, ctx.spec.wishes
    wanted = ctx.spec.advise or wishes != ArchitectureWishes()
    if wanted and state.architecture is None and not state.plan:
        advised = await _advice(ctx) if ctx.spec.advise and not is_settled(wishes) else None
        if state.failure:
            return
        state.architecture = decided(wishes, advised, software_name(ctx.spec.project_id))
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
    parts = _texts(ctx)
    return Work(task=PROJECT, type=type_of_brief(parts.project.size + parts.criteria.size), stage=stage)
