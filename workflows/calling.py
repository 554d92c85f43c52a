"""What every run that asks models shares: its models and its money."""

from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.names import queue_for
    from orchestrator.contracts.state import RunMemory, Spending
    from orchestrator.domain.model import ModelSpec
    from orchestrator.domain.policy import Policy, permitted, refusals
    from orchestrator.domain.routing import usable_models

from workflows.driven_context import DrivenContext, DrivenSpec


class CallSpec(DrivenSpec, Protocol):
    """What a run's input says about its calls."""

    @property
    def models(self) -> tuple[ModelSpec, ...]: ...

    @property
    def policies(self) -> tuple[Policy, ...]: ...

    @property
    def vendor_queues(self) -> bool: ...


class CallContext(DrivenContext):
    """A run that asks models. A task is whatever owns calls: a step, too."""

    spec: CallSpec
    state: RunMemory

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.waiters: list[str] = []  # calls that wait for budget, first come, first served

    # Models

    def vendors(self) -> tuple[str, ...]:
        """Vendors that workers can speak to."""
        raise NotImplementedError

    def models(self) -> tuple[ModelSpec, ...]:
        """Models that this run can use."""
        return permitted(self._usable(), self.spec.policies)

    def forbidden(self) -> tuple[str, ...]:
        """Models that only a policy keeps from being asked, each with the reason."""
        return refusals(self._usable(), self.spec.policies) if self.spec.policies else ()

    def queues(self) -> dict[str, str]:
        """The queue of each vendor's calls, where each has its own."""
        if not self.spec.vendor_queues:
            return {}
        return {model.vendor: queue_for(model, apart=True) for model in self.spec.models}

    def _usable(self) -> tuple[ModelSpec, ...]:
        return usable_models(self.spec.models, self.vendors())

    # Money

    def account(self, task_id: str) -> str:
        """Under whose name a task's requests are booked."""
        return task_id

    def spend(self, task_id: str, stage: str, cost_micro: int, uncertain_micro: int) -> None:
        """Book one request under its owner."""
        task_id = self.account(task_id)
        old = self.state.spending.get(task_id, Spending())
        by_stage = {**old.by_stage, stage: old.by_stage.get(stage, 0) + cost_micro}
        uncertain = old.uncertain
        if uncertain_micro:
            uncertain = {**uncertain, stage: uncertain.get(stage, 0) + uncertain_micro}
        self.state.spending[task_id] = Spending(by_stage=by_stage, uncertain=uncertain, calls=old.calls + 1)

    def reconcile_spending(self, key: str, actual_micro: int, booked_micro: int) -> None:
        """Move a call's charge from uncertain to spent, under its owner. `key` is a call key's text."""
        _, _, owner, _, stage, *_ = key.split("/")
        task_id = self.account(owner)
        old = self.state.spending[task_id]
        left = old.uncertain.get(stage, 0) - booked_micro
        self.state.spending[task_id] = Spending(
            by_stage={**old.by_stage, stage: old.by_stage.get(stage, 0) + actual_micro},
            uncertain={
                **{k: v for k, v in old.uncertain.items() if k != stage},
                **({stage: left} if left else {}),
            },
            calls=old.calls,
        )
