"""Activities that ask a model: one per stage, all by one implementation."""

from collections.abc import Mapping, Sequence

from temporalio import activity

from activities.asking import Asker
from activities.heartbeat import heartbeats
from activities.interfaces import STAGE_ACTIVITIES, ModelInterface
from activities.live_calls import LiveCalls
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallRequest, CallResult
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import Provider


class ModelActivities(ModelInterface):
    """Calls over one store, one journal and the vendors of this process; `secrets` never leave in a message."""

    def __init__(
        self, store: ArtifactStore, journal: Journal, providers: Mapping[str, Provider], secrets: Sequence[str]
    ) -> None:
        self._calls = LiveCalls(Asker(store, journal, providers, tuple(secrets)).perform)

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
        async with heartbeats():
            return await self._calls.join(request)
