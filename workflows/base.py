"""The files of the software that no task writes: scaffold, and what the user gave."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.tools import InstallInput, InstallOutcome, ScaffoldInput, ScaffoldResult
    from orchestrator.domain.app_names import software_name
    from orchestrator.domain.apps import joined
    from orchestrator.domain.integration import ProjectCheck
    from orchestrator.domain.refs import DraftRef

from workflows.context import RunContext


def base(ctx: RunContext) -> tuple[DraftRef, ...]:
    """What the files of tasks are added to, and win over."""
    scaffold, given = ctx.state.scaffold, ctx.spec.files
    return (*((scaffold.draft,) if scaffold else ()), *((given,) if given else ()))


async def lay_out(ctx: RunContext) -> None:
    """Make the scaffold of the decided architecture for the plan as it is now."""
    state = ctx.state
    planned = tuple(sorted(path for task in state.plan for path in task.files))
    if state.architecture is None or (state.scaffold and state.scaffold.planned == planned):
        return
    state.scaffold = await ctx.tool(
        names.ACTIVITY_SCAFFOLD,
        ScaffoldInput(
            architecture=state.architecture,
            name=software_name(ctx.spec.project_id),
            packages=state.packages,
            planned=planned,
        ),
        ScaffoldResult,
        f"{state.architecture.app_type.value} scaffold",
    )
    assert state.scaffold is not None
    ctx.emit("scaffolded", f"{state.architecture.app_type.value}: {len(state.scaffold.draft.paths)} files")


async def install(ctx: RunContext, drafts: tuple[DraftRef, ...]) -> None:
    """Install what all files together need; what only imports ask for joins the manifest of the scaffold."""
    state = ctx.state
    if state.scaffold is None:
        return
    outcome: InstallOutcome = await ctx.tool(
        names.ACTIVITY_INSTALL,
        InstallInput(drafts=(*base(ctx), *drafts), policy=ctx.spec.dependencies),
        InstallOutcome,
        "packages",
    )
    ctx.emit("installed", outcome.summary)
    packages = joined(state.packages, outcome.resolved)
    if packages != state.packages:
        state.packages, state.scaffold = packages, None
        await lay_out(ctx)


def drop_base(ctx: RunContext, lost: tuple[str, ...]) -> None:
    """Go on without them: the store has lost some."""
    state = ctx.state
    text = f"the store has lost {', '.join(lost)}"[:200]
    state.scaffold = None
    ctx.spec = ctx.spec.model_copy(update={"files": None})
    state.integration = state.integration.model_copy(update={"best": ProjectCheck(passed=False, summary=text)})
    ctx.note(text)
