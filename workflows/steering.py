"""What operators may ask of a running project: validated updates, each an event that names who asked."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.messages import (
        AddGuidance,
        ApprovePlan,
        ChooseSuggestions,
        OverrideModel,
        Request,
        RetryTask,
        SetBudget,
        SetConcurrency,
        SetTimeLimit,
        SkipTask,
    )
    from orchestrator.contracts.tools import TextInput
    from orchestrator.domain.answers import PlannedTask
    from orchestrator.domain.clock import Hold
    from orchestrator.domain.money import usd
    from orchestrator.domain.plan import planned_spec
    from orchestrator.domain.refs import BlobRef, blob_ref
    from orchestrator.domain.reopening import retried, revived
    from orchestrator.domain.routing import ModelOverride
    from orchestrator.domain.steps import TaskState, TaskStatus
    from orchestrator.domain.tasks import TaskSpec
    from orchestrator.domain.text import duration, one_line

from workflows import refusals, views
from workflows.briefing import choose
from workflows.context import RunContext
from workflows.driven import reject
from workflows.records import show_search_attributes


class Steering:
    """The updates of a project run. Each answers with one line that says what it did."""

    ctx: RunContext

    def _note(self, kind: str, text: str, request: Request, task_id: str = "") -> str:
        self.ctx.emit(kind, text, task_id, by=one_line(request.by))
        self.ctx.revision += 1
        return text

    async def _store(self, text: str) -> BlobRef:
        given = TextInput(text=text)
        stored: BlobRef = await self.ctx.tool(names.ACTIVITY_STORE_TEXT, given, BlobRef, "text of an operator")
        return stored

    @workflow.update(name=names.UPDATE_SET_BUDGET, description="A new cap in micro-USD.")
    def set_budget(self, request: SetBudget) -> str:
        """Change the cap; refused work comes back where the new one allows it."""
        ctx = self.ctx
        raised = request.max_micro > ctx.state.ledger.max_micro
        ctx.state.ledger = ctx.state.ledger.model_copy(update={"max_micro": request.max_micro})
        text = self._note("budget_set", f"the budget is ${usd(request.max_micro):.6f}", request)
        if raised:
            self._revive()
            ctx.release(Hold.BUDGET)
            show_search_attributes(ctx, views.status(ctx))
        return text

    @set_budget.validator
    def _check_budget(self, request: SetBudget) -> None:
        reject(refusals.budget(self.ctx, request))

    def _revive(self) -> None:
        """Tasks that were refused money go on where they stood."""
        state = self.ctx.state
        if state.suspended:
            self.ctx.reopen()
        for task_id, suspended in state.suspended.items():
            if self.ctx.task(task_id).status is not TaskStatus.COMPLETED:  # integration may have saved it
                self.ctx.set_task(task_id, suspended)
                for dependent, waiting in revived(state.plan, state.tasks, task_id).items():
                    self.ctx.set_task(dependent, waiting)
        state.suspended = {}
        state.exhausted = False

    @workflow.update(name=names.UPDATE_SET_TIME_LIMIT, description="A new limit of active time in seconds.")
    def set_time_limit(self, request: SetTimeLimit) -> str:
        """Change the time limit."""
        self.ctx.state.time_limit_s = request.time_limit_s
        return self._note("time_limit_set", f"the time limit is {duration(request.time_limit_s)}", request)

    @set_time_limit.validator
    def _check_time_limit(self, request: SetTimeLimit) -> None:
        reject(refusals.time_limit(self.ctx, request))

    @workflow.update(name=names.UPDATE_SET_CONCURRENCY, description="How many tasks may run at a time.")
    def set_concurrency(self, request: SetConcurrency) -> str:
        """Change how many tasks run at a time; those that run go on."""
        self.ctx.state.concurrency = request.concurrency
        return self._note("concurrency_set", f"{request.concurrency} task(s) at a time", request)

    @set_concurrency.validator
    def _check_concurrency(self, request: SetConcurrency) -> None:
        reject(refusals.concurrency(self.ctx, request))

    @workflow.update(name=names.UPDATE_RETRY_TASK, description="Start a finished task afresh.")
    def retry_task(self, request: RetryTask) -> str:
        """Start a finished task afresh, and bring back what was skipped because of it."""
        state = self.ctx.state
        self.ctx.reopen()
        self.ctx.forget_calls(request.task)
        changed = retried(state.plan, state.tasks, request.task, state.generation)
        for task_id, task in changed.items():
            state.suspended.pop(task_id, None)
            self.ctx.set_task(task_id, task)
        more = f", and {len(changed) - 1} task(s) that were skipped because of it" if len(changed) > 1 else ""
        return self._note("task_retried", f"{request.task} starts afresh{more}", request, request.task)

    @retry_task.validator
    def _check_retry(self, request: RetryTask) -> None:
        reject(refusals.retry(self.ctx, request))

    @workflow.update(name=names.UPDATE_SKIP_TASK, description="Do nothing more for a task; what needs it is skipped.")
    def skip_task(self, request: SkipTask) -> str:
        """Skip a task that is not finished."""
        self.ctx.cancel_task(request.task, by=one_line(request.by))
        return f"{request.task} is skipped"

    @skip_task.validator
    def _check_skip(self, request: SkipTask) -> None:
        reject(refusals.skip(self.ctx, request))

    @workflow.update(name=names.UPDATE_OVERRIDE_MODEL, description="Ask this model first for a task.")
    def override_model(self, request: OverrideModel) -> str:
        """Prefer a model from the next call on; it replaces earlier wishes for the same task or stage of it."""
        state = self.ctx.state
        wish = ModelOverride(models=(request.model,), task=request.task, stage=request.stage)
        kept = [o for o in state.overrides if o.task != wish.task or (wish.stage and o.stage is not wish.stage)]
        state.overrides = (*kept, wish)
        stage = f" {request.stage.value}" if request.stage else ""
        return self._note("model_overridden", f"{request.task}{stage}: {request.model} first", request, request.task)

    @override_model.validator
    def _check_override(self, request: OverrideModel) -> None:
        reject(refusals.override(self.ctx, request))

    @workflow.update(name=names.UPDATE_ADD_GUIDANCE, description="Something that later calls of a task are told.")
    async def add_guidance(self, request: AddGuidance) -> str:
        """Tell a task, or all of them, something."""
        ref = await self._store(request.text)
        known = self.ctx.state.guidance
        self.ctx.state.guidance = {**known, request.task: (*known.get(request.task, ()), ref)}
        return self._note("guidance_added", f"{request.task or 'every task'} is told something", request, request.task)

    @add_guidance.validator
    def _check_guidance(self, request: AddGuidance) -> None:
        reject(refusals.guidance(self.ctx, request))

    @workflow.update(name=names.UPDATE_CHOOSE_SUGGESTIONS, description="Go on with these suggestions for the text.")
    def choose_suggestions(self, request: ChooseSuggestions) -> str:
        """Choose what is added to the project text; the same choice again changes nothing."""
        text = choose(self.ctx, request.accepted, by=one_line(request.by))
        show_search_attributes(self.ctx, views.status(self.ctx))
        return text

    @choose_suggestions.validator
    def _check_choice(self, request: ChooseSuggestions) -> None:
        reject(refusals.choice(self.ctx, request))

    @workflow.update(name=names.UPDATE_APPROVE_PLAN, description="Go on with the plan, or with an edited one.")
    async def approve_plan(self, request: ApprovePlan) -> str:
        """Approve the plan, after putting the edited one in its place."""
        state = self.ctx.state
        if request.tasks is not None:
            plan = tuple([await self._spec(task) for task in request.tasks])
            reject(refusals.approval(self.ctx, request))  # a task may have begun while the texts were stored
            kept = {task.id: state.tasks[task.id] for task in plan if task.id in state.tasks}
            state.tasks = {task.id: kept.get(task.id, TaskState(generation=state.generation)) for task in plan}
            state.plan = plan
            self._note("plan_edited", f"the plan is edited: {len(plan)} tasks", request)
        state.approved = True
        text = self._note("plan_approved", f"the plan is approved: {len(state.plan)} tasks", request)
        self.ctx.release(Hold.APPROVAL)
        show_search_attributes(self.ctx, views.status(self.ctx))
        return text

    @approve_plan.validator
    def _check_approval(self, request: ApprovePlan) -> None:
        reject(refusals.approval(self.ctx, request))

    async def _spec(self, planned: PlannedTask) -> TaskSpec:
        ref = blob_ref(planned.prompt.encode())
        known = any(task.prompt == ref for task in self.ctx.state.plan)
        return planned_spec(planned, ref if known else await self._store(planned.prompt))
