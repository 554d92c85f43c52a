"""What came of a run in this process."""

from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from orchestrator.domain.base import Frozen
from orchestrator.domain.money import usd
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.pipeline_state import StepStatus


class StepResult(Frozen):
    """One instance of a step; `step_name` is its path, such as `each[3]/translate`, for one within others.

    `tokens_used` and `cost_micro` (micro-USD) are those of its own requests, failed ones included: steps that hold
    others have none. `started_s` is seconds since the epoch.
    """

    step_name: str
    status: StepStatus
    output: JsonValue = None
    latency_ms: float = 0.0
    tokens_used: int = 0
    cost_micro: int = 0
    uncertain_micro: int = 0
    model_used: str = ""
    attempts: int = 0
    error: str = ""
    input_preview: str = ""
    started_s: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def success(self) -> bool:
        """Neither failed nor cancelled; a skipped step is a success."""
        return self.status in (StepStatus.COMPLETED, StepStatus.SKIPPED)

    @property
    def skipped(self) -> bool:
        return self.status is StepStatus.SKIPPED

    @property
    def cost(self) -> float:
        """USD, that of requests of unknown fate included."""
        return usd(self.cost_micro + self.uncertain_micro)

    @property
    def timestamp(self) -> str:
        """When it began, in ISO 8601 and UTC."""
        return datetime.fromtimestamp(self.started_s, UTC).isoformat()


class PipelineResult(Frozen):
    """A whole run. `outputs` are all variables at its end; `steps_results` are in the order in which steps ended."""

    status: ProjectStatus
    steps_results: tuple[StepResult, ...] = ()
    outputs: dict[str, JsonValue] = {}
    final_output: JsonValue = None
    total_latency_ms: float = 0.0
    error: str = ""
    started_s: float = 0.0

    @property
    def success(self) -> bool:
        return self.status is ProjectStatus.SUCCESS

    @property
    def total_tokens(self) -> int:
        return sum(step.tokens_used for step in self.steps_results)

    @property
    def total_cost(self) -> float:
        """USD."""
        return usd(sum(step.cost_micro + step.uncertain_micro for step in self.steps_results))

    @property
    def successful_steps(self) -> list[StepResult]:
        """Those that gave an output."""
        return [step for step in self.steps_results if step.status is StepStatus.COMPLETED]

    @property
    def failed_steps(self) -> list[StepResult]:
        return [step for step in self.steps_results if step.status is StepStatus.FAILED]

    @property
    def skipped_steps(self) -> list[StepResult]:
        return [step for step in self.steps_results if step.skipped]

    def step(self, name: str) -> StepResult | None:
        """The result of one step or instance; None where it never began."""
        return next((step for step in self.steps_results if step.step_name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON of everything."""
        totals = {"success": self.success, "total_tokens": self.total_tokens, "total_cost": self.total_cost}
        steps = [
            {**step.model_dump(mode="json"), "success": step.success, "skipped": step.skipped, "cost": step.cost}
            for step in self.steps_results
        ]
        return {**self.model_dump(mode="json"), **totals, "steps_results": steps}
