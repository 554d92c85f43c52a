"""Pipelines by the `Orchestrator` of the library."""

import asyncio

import pytest

from orchestrator import Orchestrator, Pipeline
from orchestrator.api.values import Budget
from orchestrator.client.pipelines import PipelineOutput
from orchestrator.domain.errors import UserInputError
from orchestrator.pipelines import create_llm_step
from tests.e2e.theatre import Theatre


def test_a_pipeline_runs_within_its_own_budget_or_the_orchestrators(theatre: Theatre) -> None:
    theatre.installation.run("server", "up")
    orchestrator = Orchestrator(Budget(max_usd=2), settings=theatre.installation.settings)

    async def run(budget: float | None, model: str = "gpt-5-mini") -> PipelineOutput:
        steps = [create_llm_step("analyze", model, "Analyze: {topic}")]
        return await orchestrator.run_pipeline(Pipeline("analysis", steps, budget=budget), {"topic": "x"}, mock=True)

    found = asyncio.run(run(None))
    assert found.success
    assert found.final_output == "[Mock gpt-5-mini response] Processed: 'Analyze: x'"
    assert found.view.max_micro == 2_000_000
    assert asyncio.run(run(0.5)).view.max_micro == 500_000
    assert not theatre.billed_micro()
    with pytest.raises(UserInputError, match="model is required"):
        asyncio.run(run(None, model=""))
