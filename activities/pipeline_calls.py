"""The activity that asks a model for a pipeline's step."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import activity

from activities.asking import Asker, PromptError, UnusableError
from activities.live_calls import LiveCalls
from activities.pipeline_values import PipelineValues
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts import names
from orchestrator.contracts.calls import CallRequest, CallResult, StepParts
from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.pipeline import LlmStep
from orchestrator.domain.pipeline_attempts import PipelineStage
from orchestrator.pipelines.answers import output_of
from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.values import asked_again, prompt_of
from orchestrator.providers.answers import unusable
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, Provider
from orchestrator.telemetry.telemetry import SILENT, Telemetry


class StepActivities:
    """Calls over one store, one journal and the vendors of this process; `secrets` never leave in a message."""

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        providers: Mapping[str, Provider],
        secrets: Sequence[str],
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._calls = LiveCalls(StepAsker(store, journal, providers, tuple(secrets), telemetry).perform)

    @activity.defn(name=names.ACTIVITY_PIPELINE_LLM)
    async def llm(self, request: CallRequest) -> CallResult:
        """Render the prompt of a step, and ask a model."""
        return await self._calls.join(request)


class StepAsker(Asker):
    """Performs calls for steps: a prompt is the step's template filled with variables, an answer a JSON value."""

    keeps_answers = False  # the value is the answer

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        providers: Mapping[str, Provider],
        secrets: tuple[str, ...],
        telemetry: Telemetry = SILENT,
    ) -> None:
        super().__init__(store, journal, providers, secrets, telemetry)
        self._values = PipelineValues(store)

    async def _prompt(self, request: CallRequest) -> ModelRequest:
        parts, model = request.parts, request.model
        assert isinstance(parts, StepParts)
        step = await self._step(request)
        values = await self._values.read(dict(parts.values))
        try:
            system, prompt = await asyncio.to_thread(prompt_of, step, values)  # a hostile template takes its time
        except StepError as error:
            raise PromptError(str(error)) from None
        return ModelRequest(
            model=model.model,
            system=system,
            prompt=asked_again(prompt, parts.previous_error),
            max_tokens=request.max_tokens,
            temperature=step.temperature if model.temperature else None,
            json_schema=step.response_schema,
            stage=PipelineStage.STEP,
            sections={"step": step.name},
        )

    async def _keep(self, asked: ModelRequest) -> dict[str, object]:
        text = f"{asked.system}\n\n{asked.prompt}" if asked.system else asked.prompt
        return {"prompt": await self._store.put(text.encode(errors="replace")), "prompt_preview": self._clean(text)}

    async def _understand(self, request: CallRequest, answer: ModelAnswer) -> dict[str, Any]:
        step = await self._step(request)
        stated = step.max_tokens is not None  # then an answer may be cut off, which is said and never silent
        found = unusable(answer, truncated=not stated or step.response_schema is not None)
        if found:
            raise UnusableError(*found)
        try:
            output, notes = output_of(step, answer.text)
            value = await self._values.keep(output)
        except StepError as error:
            raise AnswerError(str(error)) from None
        cut = answer.finish is FinishReason.LENGTH
        cut_notes = (f"the answer was cut off at max_tokens={step.max_tokens}",) if cut else ()
        return {"value": value, "notes": (*cut_notes, *notes)}

    async def _step(self, request: CallRequest) -> LlmStep:
        assert isinstance(request.parts, StepParts)
        step = await self._values.step(request.parts.pipeline, request.parts.step)
        assert isinstance(step, LlmStep)
        return step
