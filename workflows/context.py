"""What every part of a project run shares: the memory of its tasks."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.project import ProjectSpec
    from orchestrator.contracts.state import ProjectState, spent_by_phase
    from orchestrator.domain.integration import Integration
    from orchestrator.domain.phases import crossed, phase_of, phase_spends
    from orchestrator.domain.refs import BlobRef
    from orchestrator.domain.steps import TaskState, TaskStatus, skip
    from orchestrator.domain.tasks import Stage, TaskSpec, TaskType

from workflows.calling import CallContext


class RunContext(CallContext):
    """One project's memory and the rules of when something may start."""

    spec: ProjectSpec
    state: ProjectState

    def __init__(self, spec: ProjectSpec, state: ProjectState) -> None:
        super().__init__(spec.project_id)
        self.spec = spec
        self.state = state
        self._by_phase = spent_by_phase(state)

    def cancel_task(self, task_id: str, *, by: str = "") -> None:
        """Stop one unfinished task: its requests in flight are cancelled."""
        self.emit("task_cancel_requested", "", task_id, by=by)
        self.revision += 1
        if self.task(task_id).status is TaskStatus.PENDING:
            self.set_task(task_id, skip(self.task(task_id), "skipped by the user", by_user=True))
            return
        self.cancelled_tasks[task_id] = None
        self.cancel_in_flight(task_id)

    def task(self, task_id: str) -> TaskState:
        return self.state.tasks[task_id]

    def set_task(self, task_id: str, new: TaskState) -> None:
        """Replace a task's state; a change of status is an event."""
        old = self.state.tasks.get(task_id)
        self.state.tasks[task_id] = new
        if old is not None and old.status is not new.status:
            detail = f": {new.reason}" if new.reason else ""
            score = f" {new.best.score:.2f}" if new.best and new.best.score is not None else ""
            self.emit(f"task_{new.status.value.lower()}", f"{new.status.value}{score}{detail}", task_id)

    def reopen(self) -> None:
        """Tasks go on after their end: what integration knows is out of date, and its next calls need new keys."""
        self.state.generation += 1
        self.state.integration = Integration()

    def forget_calls(self, task_id: str) -> None:
        """Calls of a task that nobody will go on with."""
        kept = {name: call for name, call in self.state.calls.items() if not name.startswith(f"{task_id}/")}
        self.state.calls = kept

    def spec_of(self, task_id: str) -> TaskSpec:
        return next(task for task in self.state.plan if task.id == task_id)

    def guidance(self, task_id: str) -> tuple[BlobRef, ...]:
        """What operators want to be heeded in a task."""
        return (*self.state.guidance.get("", ()), *self.state.guidance.get(task_id, ()))

    def vendors(self) -> tuple[str, ...]:
        """Vendors that the worker can speak to."""
        return self.state.prepared.vendors if self.state.prepared else ()

    def routing(self) -> dict[TaskType, tuple[str, ...]]:
        return self.spec.simulated_routing if self.simulated() else self.spec.routing

    def simulated(self) -> bool:
        """True if simulated models do the work."""
        models = self.models()
        return bool(models) and models[0].simulated

    def spend(self, task_id: str, stage: str, cost_micro: int, uncertain_micro: int) -> None:
        """Book one request under its owner, and warn where that crosses a line."""
        super().spend(task_id, stage, cost_micro, uncertain_micro)
        self._count_phase(stage, cost_micro + uncertain_micro)
        spends = phase_spends(self._by_phase, self.state.ledger.max_micro)
        for warning in crossed(spends, self.state.ledger.max_micro):
            if warning.name not in self.state.warned:
                self.state.warned = (*self.state.warned, warning.name)
                self.emit("budget_warning", warning.text)

    def reconcile_spending(self, key: str, actual_micro: int, booked_micro: int) -> None:
        """Move a call's charge from uncertain to spent, under its owner. `key` is a call key's text."""
        super().reconcile_spending(key, actual_micro, booked_micro)
        self._count_phase(key.split("/")[4], actual_micro - booked_micro)

    def _count_phase(self, stage: str, amount_micro: int) -> None:
        phase = phase_of(Stage(stage))
        self._by_phase[phase] = self._by_phase.get(phase, 0) + amount_micro
