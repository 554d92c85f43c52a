"""Activities that ask a model: one per stage, all by one implementation."""

from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import activity

from activities.answers import understand
from activities.asking import Asker, UnusableError
from activities.interfaces import STAGE_ACTIVITIES, ModelInterface
from activities.live_calls import LiveCalls
from activities.sections import read_sections
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.store import ArtifactStore, RecentContent
from orchestrator.contracts.calls import CallRequest, CallResult, PromptParts
from orchestrator.domain.tasks import Stage
from orchestrator.prompts import build_prompt, schema_for
from orchestrator.providers.answers import unusable
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider
from orchestrator.telemetry.telemetry import SILENT, Telemetry
from orchestrator.validators.sandbox import Sandbox

_TEMPERATURES = {Stage.EVALUATE: 0.0, Stage.JUDGE: 0.0, Stage.CRITIQUE: 0.2, Stage.ADVISE: 0.2, Stage.ENHANCE: 0.7}
_TEMPERATURE = 0.3


class TaskAsker(Asker):
    """Performs calls of the stages of a project; files are mended in the sandbox before they are stored."""

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        providers: Mapping[str, Provider],
        secrets: tuple[str, ...],
        sandbox: Sandbox,
        telemetry: Telemetry = SILENT,
    ) -> None:
        super().__init__(store, journal, providers, secrets, telemetry)
        self._sandbox = sandbox
        self._inputs = RecentContent(store)

    async def _prompt(self, request: CallRequest) -> ModelRequest:
        stage, model = request.key.stage, request.model
        assert isinstance(stage, Stage) and isinstance(request.parts, PromptParts)
        sections = await read_sections(self._inputs, request.parts)
        system, prompt = build_prompt(stage, sections)
        return ModelRequest(
            model=model.model,
            system=system,
            prompt=prompt,
            max_tokens=request.max_tokens,
            temperature=_TEMPERATURES.get(stage, _TEMPERATURE) if model.temperature else None,
            json_schema=schema_for(stage),
            stage=stage,
            sections=sections,
        )

    async def _understand(self, request: CallRequest, answer: ModelAnswer) -> dict[str, Any]:
        found = unusable(answer)
        if found:
            raise UnusableError(*found)
        return await understand(self._store, self._sandbox, request, answer.text)


class ModelActivities(ModelInterface):
    """Calls over one store, one journal and the vendors of this process; `secrets` never leave in a message."""

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        providers: Mapping[str, Provider],
        secrets: Sequence[str],
        sandbox: Sandbox,
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._calls = LiveCalls(TaskAsker(store, journal, providers, tuple(secrets), sandbox, telemetry).perform)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.ENHANCE])
    async def enhance(self, request: CallRequest) -> CallResult:
        """Suggest a better project text."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.ADVISE])
    async def advise(self, request: CallRequest) -> CallResult:
        """Choose an architecture."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.PLAN])
    async def plan(self, request: CallRequest) -> CallResult:
        """Split the project into tasks."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.GENERATE])
    async def generate(self, request: CallRequest) -> CallResult:
        """Write the files of a task."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.CRITIQUE])
    async def critique(self, request: CallRequest) -> CallResult:
        """Review a draft."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REVISE])
    async def revise(self, request: CallRequest) -> CallResult:
        """Mend a draft by its findings and its critique."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.EVALUATE])
    async def evaluate(self, request: CallRequest) -> CallResult:
        """Score a draft as one judge."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REPAIR])
    async def repair(self, request: CallRequest) -> CallResult:
        """Mend the integrated project by the findings of its checks."""
        return await self._call(request)

    @activity.defn(name=STAGE_ACTIVITIES[Stage.JUDGE])
    async def judge(self, request: CallRequest) -> CallResult:
        """Say which of the criteria hold that no tool can decide."""
        return await self._call(request)

    async def _call(self, request: CallRequest) -> CallResult:
        return await self._calls.join(request)
