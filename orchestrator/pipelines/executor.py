"""Runs pipelines in this process, for notebooks, tests and programs of their own.

It decides by the same rules as the durable runs of `orch-cli pipeline run`, but forgets everything when it ends.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

from pydantic import JsonValue

from orchestrator.domain.money import micro
from orchestrator.pipelines.asking import FunctionSource, MockSource, ModelFunction, ModelSource, VendorSource
from orchestrator.pipelines.inputs import given
from orchestrator.pipelines.local_calls import LocalCalls
from orchestrator.pipelines.local_run import LocalRun, OnStepEnd, OnStepStart, Watching
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.pipelines.results import PipelineResult
from orchestrator.pipelines.retry import RetryStrategy
from orchestrator.settings import Settings


class _Executor:
    """Without `model_fn` the mock answers: free of charge, with an estimate of what the models would cost.

    `retry_strategy` is for llm steps that name no retries of their own. `clock` (seconds, monotonic) and `sleep` are
    there for tests. An executor may be used again, and for several runs at once: each has a budget and circuits of
    its own.
    """

    def __init__(
        self,
        model_fn: ModelFunction | None = None,
        retry_strategy: RetryStrategy | None = None,
        on_step_start: OnStepStart | None = None,
        on_step_end: OnStepEnd | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._retry = retry_strategy
        self._open = _source(model_fn, retry_strategy)
        self._watching = Watching(on_step_start, on_step_end, clock, sleep)

    @classmethod
    def with_vendors(
        cls,
        settings: Settings | None = None,
        retry_strategy: RetryStrategy | None = None,
        on_step_start: OnStepStart | None = None,
        on_step_end: OnStepEnd | None = None,
    ) -> Self:
        """One that asks the vendors that `settings` (default: the environment) has keys for."""
        executor = cls(None, retry_strategy, on_step_start, on_step_end)
        executor._open = lambda: VendorSource(settings)
        return executor

    async def _run(self, pipeline: Pipeline, initial_input: Mapping[str, JsonValue] | None) -> PipelineResult:
        source = self._open()
        plan = pipeline.plan(await source.prepare())
        inputs = given(plan, initial_input or {})
        retry = self._retry.policy() if self._retry is not None else None
        budget = None if pipeline.budget is None else micro(pipeline.budget)
        calls = LocalCalls(source, budget, retry, self._watching.clock, self._watching.sleep)
        try:
            return await LocalRun(pipeline, plan, inputs, calls, self._watching).run()
        finally:
            await source.aclose()


class AsyncPipelineExecutor(_Executor):
    """Runs pipelines in the running event loop."""

    async def execute(self, pipeline: Pipeline, initial_input: Mapping[str, JsonValue] | None = None) -> PipelineResult:
        """Run `pipeline`. A step that fails is told of in the result.

        Raises UserInputError, before anything runs, with everything that is wrong with the pipeline or its inputs.
        """
        return await self._run(pipeline, initial_input)


class PipelineExecutor(_Executor):
    """Runs pipelines and waits for their end; where an event loop is running, as in notebooks, in a thread."""

    def execute(self, pipeline: Pipeline, initial_input: Mapping[str, JsonValue] | None = None) -> PipelineResult:
        """Run `pipeline`. See AsyncPipelineExecutor.execute."""

        def run() -> PipelineResult:
            return asyncio.run(self._run(pipeline, initial_input))

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run()
        return _in_another_loop(run)


def _source(model_fn: ModelFunction | None, retry: RetryStrategy | None) -> Callable[[], ModelSource]:
    if model_fn is None:
        return MockSource
    return lambda: FunctionSource(model_fn, retry.retry_on if retry else ())


def _in_another_loop(run: Callable[[], PipelineResult]) -> PipelineResult:
    outcome: list[PipelineResult] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(run())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=target, name="pipeline run")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return outcome[0]
