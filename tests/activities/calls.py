"""Requests and vendors for the tests of activities that ask a model."""

import asyncio
from collections.abc import Callable

from temporalio.testing import ActivityEnvironment

from activities.model_calls import ModelActivities
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKey, CallRequest, CallResult, PromptParts, TaskBrief
from orchestrator.contracts.sizes import prompt_bound
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.providers.base import ModelAnswer, ModelRequest, Provider
from orchestrator.settings import load_settings
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment

SECRET = "sk-test-0123456789abcdef"
MODEL = ModelSpec(
    id="acme:fast",
    vendor="acme",
    model="fast",
    prices=(PriceTier(input_micro=1, cached_input_micro=1, output_micro=1),),
    context_tokens=100_000,
    max_output_tokens=10_000,
)
GOOD_FILE = "```python path=pkg/core.py\nx = 1\n```"


class HeldProvider:
    """A vendor that answers when it is told to."""

    vendor = "acme"

    def __init__(self, answer: ModelAnswer) -> None:
        self.answer = answer
        self.requests: list[ModelRequest] = []
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self.closed_early = False

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        self.requests.append(request)
        self.asked.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.closed_early = True
            raise
        return self.answer

    async def aclose(self) -> None:
        pass


def activities(store: ArtifactStore, provider: Provider, owner: str = "worker-1") -> ModelActivities:
    sandbox = Sandbox("", ToolEnvironment(load_settings({})), reason="none here")
    return ModelActivities(store, Journal(store, owner), {provider.vendor: provider}, (SECRET,), sandbox)


async def request_for(store: ArtifactStore, stage: Stage, *, ask: int = 1, error: str = "") -> CallRequest:
    """A request of `stage` with everything that its prompt shows."""
    brief = TaskBrief(
        id="t1",
        title="Core",
        type=TaskType.CODE_GENERATION,
        files=("pkg/core.py",),
        prompt=await store.put(b"Write the core."),
    )
    mends = stage in (Stage.CRITIQUE, Stage.EVALUATE, Stage.REVISE, Stage.REPAIR)
    parts = PromptParts(
        project=await store.put(b"A project"),
        criteria=await store.put(b"It works"),
        task=None if stage is Stage.PLAN else brief,
        draft=await write_draft(store, {"pkg/core.py": b"old = 1\n"}) if mends else None,
        previous_error=error,
    )
    return CallRequest(
        key=CallKey(namespace="default", project="p1", task="t1", stage=stage, ask=ask),
        model=MODEL,
        parts=parts,
        max_tokens=1000,
        max_prompt_bytes=prompt_bound(stage, parts),
    )


async def call(
    activities_: ModelActivities, request: CallRequest, environment: ActivityEnvironment | None = None
) -> CallResult:
    """Run the activity of the request's stage as a worker would."""
    method = getattr(activities_, request.key.stage.value)
    result = await (environment or ActivityEnvironment()).run(method, request)
    assert isinstance(result, CallResult)
    return result
