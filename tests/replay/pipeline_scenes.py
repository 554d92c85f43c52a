"""Behaviours of pipelines whose histories are kept: each is a run that the real workflow went through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.contracts import names
from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.providers.base import ModelRequest, ProviderError
from orchestrator.testing.scripted import Reply
from tests.workflow.pipeline_house import Cast, PipelineHouse, PipelineRun, llm, run_spec
from tests.workflow.play import BUSY, DOWN

PipelineScene = Callable[[PipelineHouse, Cast], Awaitable[PipelineRun]]

LOST = ProviderError.of(FailureKind.LOST, Fate.UNCERTAIN, "the reply was lost")


def _mapped() -> dict[str, Any]:
    inner = [
        llm("one", "{item_index}:{item}"),
        {"name": "loud", "step_type": "transform", "expression": "upper(one_output)"},
    ]
    each = {"name": "each", "step_type": "for_each", "items": "words", "concurrency": 4, "sub_steps": inner}
    return {"inputs": {"words": {"type": "list"}}, "steps": [each]}


async def _to_end(run: PipelineRun, status: ProjectStatus) -> PipelineRun:
    view = await run.result()
    assert view.status is status, f"{view.status.value}: {view.reason}"
    return run


async def chain(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """Steps one after the other, with a condition that does not hold, and a transform."""
    steps = [
        llm("research", "Research {topic}", output_key="findings"),
        llm("never", "{findings}", condition="equals:topic:moon"),
        llm("summarize", "Summarize {findings}", condition="topic == 'tides'"),
        {"name": "shout", "step_type": "transform", "expression": "upper(summarize_output)"},
    ]
    return await _to_end(await house.start(run_spec({"steps": steps}, {"topic": "tides"})), ProjectStatus.SUCCESS)


async def group(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """Steps side by side, and steps that a condition holds."""
    steps = [
        {"name": "g", "step_type": "parallel_group", "sub_steps": [llm("a"), llm("b"), llm("c")]},
        {
            "name": "maybe",
            "step_type": "conditional",
            "condition": "contains:a_output:a(go)",
            "sub_steps": [llm("d", "{b_output}"), llm("e", "{d_output}")],
        },
    ]
    return await _to_end(await house.start(run_spec({"steps": steps})), ProjectStatus.SUCCESS)


async def for_each(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """A list gone through over several executions."""
    spec = run_spec(_mapped(), {"words": [f"w{n}" for n in range(8)]}, continue_after_events=50)
    return await _to_end(await house.start(spec), ProjectStatus.SUCCESS)


async def attempts(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """A retry after a delay, then another model."""
    replies: list[Reply] = [BUSY, BUSY, LOST, "fine"]
    cast.answer = lambda vendor, request: DOWN if vendor == "beta" else replies.pop(0)
    retry = {"max_retries": 1, "base_delay_s": 0.1}
    steps = [llm("a", retry=retry, fallback=["beta", "gamma"])]
    return await _to_end(await house.start(run_spec({"steps": steps})), ProjectStatus.SUCCESS)


async def failure(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """A step fails beside one that is finished, and what follows is not begun."""
    cast.answer = lambda vendor, request: DOWN if request.sections["step"] == "b" else "fine"
    steps = [llm("a"), llm("b", "{a_output}"), llm("c", "{b_output}")]
    return await _to_end(await house.start(run_spec({"steps": steps})), ProjectStatus.PARTIAL_SUCCESS)


async def limits(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """A group runs out of time."""
    cast.answer = _never
    steps = [{"name": "g", "step_type": "parallel_group", "timeout_seconds": 0.5, "sub_steps": [llm("a"), llm("b")]}]
    return await _to_end(await house.start(run_spec({"steps": steps})), ProjectStatus.TIMEOUT)


async def exhaustion(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """The money ends in the middle."""
    steps = [llm("s0", max_tokens=1000)]
    steps += [llm(f"s{n}", f"{{s{n - 1}_output}}", max_tokens=1000) for n in range(1, 6)]
    spec = run_spec({"steps": steps}, max_micro=5_250)
    return await _to_end(await house.start(spec), ProjectStatus.BUDGET_EXHAUSTED)


async def pause_resume(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """A pause in the middle of a call."""
    gate = asyncio.Event()

    async def hold(vendor: str, request: ModelRequest) -> Reply:
        await gate.wait()
        return "done"

    cast.answer = hold
    run = await house.start(run_spec({"steps": [llm("a"), llm("b", "{a_output}")]}))
    await cast.until(lambda: len(cast.asked) == 1)
    await run.handle.signal(names.SIGNAL_PAUSE, args=["lunch"])
    gate.set()
    await run.until(lambda view: view.calls == 1)
    await run.handle.signal(names.SIGNAL_RESUME)
    return await _to_end(run, ProjectStatus.SUCCESS)


async def cancel(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """Cancelled in the middle of a call."""
    cast.answer = _never
    run = await house.start(run_spec({"steps": [llm("a", timeout_seconds=None), llm("b", "{a_output}")]}))
    await cast.until(lambda: len(cast.asked) == 1)
    await run.handle.cancel()
    return await _to_end(run, ProjectStatus.CANCELLED)


async def resumed(house: PipelineHouse, cast: Cast) -> PipelineRun:
    """The run after one in which an element of a list failed."""
    ill = True
    cast.answer = lambda vendor, request: DOWN if ill and request.prompt == "2:w2" else request.prompt
    spec = run_spec(_mapped(), {"words": [f"w{n}" for n in range(4)]})
    await _to_end(await house.start(spec), ProjectStatus.PARTIAL_SUCCESS)
    ill = False
    return await _to_end(await house.resume(spec), ProjectStatus.SUCCESS)


async def _never(vendor: str, request: ModelRequest) -> Reply:
    await asyncio.sleep(60)
    return "too late"


PIPELINE_SCENES: dict[str, PipelineScene] = {
    "pipeline_chain": chain,
    "pipeline_group": group,
    "pipeline_for_each": for_each,
    "pipeline_attempts": attempts,
    "pipeline_failure": failure,
    "pipeline_limits": limits,
    "pipeline_exhaustion": exhaustion,
    "pipeline_pause_resume": pause_resume,
    "pipeline_cancel": cancel,
    "pipeline_resumed": resumed,
}
