"""Why an operator's request makes no sense just now; an empty text where it does. Nothing here changes a run."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.messages import (
        AddGuidance,
        ApprovePlan,
        ChooseSuggestions,
        OverrideModel,
        RetryTask,
        SetBudget,
        SetConcurrency,
        SetTimeLimit,
        SkipTask,
    )
    from orchestrator.domain.answers import PlannedTask
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.limits import MAX_CONCURRENCY, MAX_TIME_LIMIT_S
    from orchestrator.domain.money import usd
    from orchestrator.domain.outcome import ProjectStatus
    from orchestrator.domain.plan import check_plan, known_validators, planned_spec
    from orchestrator.domain.refs import blob_ref
    from orchestrator.domain.steps import FINAL, TaskStatus

from workflows.context import RunContext

_SHOWN_ERRORS = 5


def budget(ctx: RunContext, request: SetBudget) -> str:
    """A cap may not fall below what is gone or promised."""
    ledger = ctx.state.ledger
    least = max(1, ledger.committed_micro + ledger.reserved_micro)
    if request.max_micro < least:
        return f"${usd(request.max_micro):.6f} is below the ${usd(least):.6f} that are spent or reserved already"
    if ctx.spec.batch is not None and request.max_micro > ctx.spec.max_micro:
        return f"batch {ctx.spec.batch.batch_id} has set ${usd(ctx.spec.max_micro):.6f} aside for it, and no more"
    return _over(ctx)


def time_limit(ctx: RunContext, request: SetTimeLimit) -> str:
    """A limit may not lie in the past."""
    passed_s = ctx.active_s()
    if not request.time_limit_s > passed_s:  # so written that NaN is refused too
        return f"{request.time_limit_s:.0f} s is not above the {passed_s:.0f} s that have passed; 'cancel' ends a run"
    if request.time_limit_s > MAX_TIME_LIMIT_S:
        return "the time limit must be at most 365 days"
    return _over(ctx)


def concurrency(ctx: RunContext, request: SetConcurrency) -> str:
    """1 to 64."""
    if not 1 <= request.concurrency <= MAX_CONCURRENCY:
        return f"concurrency must be from 1 to {MAX_CONCURRENCY}"
    return _over(ctx)


def retry(ctx: RunContext, request: RetryTask) -> str:
    """Only what has ended can start afresh, on results of what it builds on."""
    reason = _over(ctx) or _unknown(ctx, request.task)
    if reason:
        return reason
    state = ctx.task(request.task)
    if state.status not in FINAL:
        return f"{request.task} is {state.status.value}: only a finished task can be retried"
    return ""


def skip(ctx: RunContext, request: SkipTask) -> str:
    """Only what is not finished can be skipped."""
    reason = _over(ctx) or _unknown(ctx, request.task)
    if reason:
        return reason
    state = ctx.task(request.task)
    return f"{request.task} is {state.status.value} already" if state.status in FINAL else ""


def override(ctx: RunContext, request: OverrideModel) -> str:
    """The model must be one that this run can use."""
    reason = _over(ctx) or _unknown(ctx, request.task)
    if reason:
        return reason
    usable = [model.id for model in ctx.models()]
    if request.model not in usable:
        return f"this run cannot use {request.model[:80]!r}; it can use {', '.join(usable)}"[:600]
    return ""


def guidance(ctx: RunContext, request: AddGuidance) -> str:
    """A text, for a task that exists, or for all."""
    if not request.text.strip():
        return "the text is empty"
    return _over(ctx) or (_unknown(ctx, request.task) if request.task else "")


def choice(ctx: RunContext, request: ChooseSuggestions) -> str:
    """Suggestions must wait, and be those that are accepted; what is decided can only be said again."""
    enhancement = ctx.state.enhancement
    if enhancement is None or not enhancement.suggestions:
        return _over(ctx) or "no suggestions wait for a choice"
    known = tuple(one.id for one in enhancement.suggestions)
    unknown = [name for name in request.accepted if name not in known]
    if unknown:
        return f"there is no suggestion {unknown[0][:20]!r}; there are {', '.join(known)}"
    if enhancement.chosen is not None and set(enhancement.chosen) != set(request.accepted):
        return f"the choice was made already: {', '.join(enhancement.chosen) or 'none of them'}"
    return _over(ctx)


def approval(ctx: RunContext, request: ApprovePlan) -> str:
    """There must be a plan that waits, or a pause in which it may be changed; an edited plan must be one."""
    reason = _over(ctx)
    if reason:
        return reason
    state = ctx.state
    waits = Hold.APPROVAL in state.clock.holds
    if not waits and (request.tasks is None or not state.plan):
        return "no plan waits for approval"
    if not waits and not (ctx.paused and state.phase is ProjectStatus.RUNNING):
        return "the plan can only be changed while the run is paused before its integration; 'pause' it first"
    return "" if request.tasks is None else _bad_plan(ctx, request.tasks)


def _bad_plan(ctx: RunContext, tasks: tuple[PlannedTask, ...]) -> str:
    if not tasks:
        return "the plan has no tasks"
    errors = check_plan(tasks)
    for task in tasks:
        _, unknown = known_validators(task.validators)
        errors += [f"task {task.id!r}: unknown validator {name[:40]!r}" for name in unknown]
    return "; ".join((errors or _changed_begun(ctx, tasks))[:_SHOWN_ERRORS])[:1000]


def _changed_begun(ctx: RunContext, tasks: tuple[PlannedTask, ...]) -> list[str]:
    """Tasks that have begun, which an edited plan would change or drop."""
    new = {task.id: task for task in tasks}
    errors = []
    for old in ctx.state.plan:
        status = ctx.task(old.id).status
        if status is TaskStatus.PENDING and old.id not in ctx.state.spending:
            continue
        edited = new.get(old.id)
        if edited is None or planned_spec(edited, blob_ref(edited.prompt.encode())) != old:
            errors.append(f"task {old.id!r} has begun ({status.value}) and must stay as it is")
    return errors


def _over(ctx: RunContext) -> str:
    return "the run is ending" if ctx.ending or ctx.state.stopped is not None else ""


def _unknown(ctx: RunContext, task_id: str) -> str:
    return "" if task_id in ctx.state.tasks else f"there is no task {task_id[:60]!r}"
