"""The files of the software that no task writes: scaffold, and what the user gave."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.tools import InstallInput, InstallOutcome, ScaffoldInput, ScaffoldResult
    from orchestrator.domain.app_names import software_name
    from orchestrator.domain.apps import joined
    from orchestrator.domain.integration import ProjectCheck
    from orchestrator.domain.refs import DraftRef
    from orchestrator.domain.tasks import PROJECT

from workflows.context import RunContext


def base(ctx: RunContext) -> tuple[DraftRef, ...]:
    """What the files of tasks are added to, and win over."""
    scaffold, given = ctx.state.scaffold, ctx.spec.files
    return (*((scaffold.draft,) if scaffold else ()), *((given,) if given else ()))


async def lay_out(ctx: RunContext) -> None:
    """Make the scaffold of the decided architecture for the plan as it is now."""
    state = ctx.state
    if state.architecture is not None and (state.scaffold is None or state.scaffold.planned != _planned(ctx)):
        await _lay_out(ctx)


async def _lay_out(ctx: RunContext) -> None:
    state = ctx.state
    assert state.architecture is not None
    given = ScaffoldInput(
        architecture=state.architecture,
        name=software_name(ctx.spec.project_id),
        packages=state.packages,
        planned=_planned(ctx),
    )
    kind = state.architecture.app_type.value
    try:
        scaffold: ScaffoldResult = await ctx.tool(names.ACTIVITY_SCAFFOLD, given, ScaffoldResult, f"{kind} scaffold")
    except ActivityError as error:
        ctx.note(f"the {kind} scaffold could not be laid out: {error.cause or error}"[:300])
        return
    state.scaffold = scaffold
    ctx.emit("scaffolded", f"{kind}: {len(scaffold.draft.paths)} files")


def _planned(ctx: RunContext) -> tuple[str, ...]:
    return tuple(sorted(path for task in ctx.state.plan for path in task.files))


async def install(ctx: RunContext, drafts: tuple[DraftRef, ...]) -> None:
    """Install what all files together need; what only imports ask for joins the manifest of the scaffold."""
    state = ctx.state
    if state.scaffold is None:
        return
    given = InstallInput(drafts=(*base(ctx), *drafts), policy=ctx.spec.dependencies)
    handle = ctx.start_tool(names.ACTIVITY_INSTALL, given, InstallOutcome, "packages")
    outcome: InstallOutcome = await ctx.execute(handle, PROJECT, "install")
    ctx.emit("installed", outcome.summary)
    packages = joined(state.packages, outcome.resolved)
    if packages != state.packages:
        state.packages = packages
        await _lay_out(ctx)


def drop_base(ctx: RunContext, lost: tuple[str, ...]) -> None:
    """Go on without them: the store has lost some."""
    state = ctx.state
    text = f"the store has lost {', '.join(lost)}"[:200]
    state.scaffold = None
    ctx.spec = ctx.spec.model_copy(update={"files": None})
    state.integration = state.integration.model_copy(update={"best": ProjectCheck(passed=False, summary=text)})
    ctx.note(text)
