"""What a worker process takes, how often vendors may be asked, and names of teams: as typed."""

import asyncio

import pytest
from obstore.store import MemoryStore

from orchestrator.artifacts.exclusive import require_exclusive
from orchestrator.artifacts.object_backend import ObjectBackend
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.spec import parse_team
from orchestrator.contracts.names import QUEUE_MODELS, queue_for
from orchestrator.contracts.serving import EVERYTHING, Serving, parse_serving
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.settings.limits import parse_rate_limits


@pytest.mark.parametrize(
    ("raw", "serving"),
    [
        ("workflows", Serving(tools=False, models=False, vendors=())),
        ("tools, workflows", Serving(models=False, vendors=())),
        ("models", Serving(workflows=False, tools=False)),
        ("models:openai,models:acme-2", Serving(workflows=False, tools=False, vendors=("openai", "acme-2"))),
        ("models:openai,models", Serving(workflows=False, tools=False)),
        ("workflows,tools,models", EVERYTHING),
    ],
)
def test_parts_are_chosen_by_name(raw: str, serving: Serving) -> None:
    assert parse_serving(raw) == serving


@pytest.mark.parametrize("raw", ["", "model", "models:", "workflows,,tools", "all", "openai"])
def test_other_parts_are_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="must name workflows, tools, models or models:VENDOR; got"):
        parse_serving(raw)


def test_only_the_named_vendors_are_asked() -> None:
    assert EVERYTHING.takes("anyone")
    assert [parse_serving("models:openai").takes(vendor) for vendor in ("openai", "google")] == [True, False]
    assert not parse_serving("tools").takes("openai")


def test_a_vendor_has_a_queue_of_its_own_and_simulated_ones_share_one() -> None:
    def model(vendor: str, *, simulated: bool) -> ModelSpec:
        names = {"id": f"{vendor}:m", "vendor": vendor, "model": "m"}
        return ModelSpec.model_validate({**names, "context_tokens": 1, "max_output_tokens": 1, "simulated": simulated})

    real, pretended = model("openai", simulated=False), model("sim-north", simulated=True)
    assert queue_for(real, apart=True) == "orch-models-openai"
    assert queue_for(pretended, apart=True) == "orch-models-simulated"
    assert queue_for(real, apart=False) == queue_for(pretended, apart=False) == QUEUE_MODELS


def test_rates_are_per_second() -> None:
    limits = parse_rate_limits("openai=5/s, anthropic = 300/m,google=1800/h,acme=0.5/s,")
    assert limits == {"openai": 5.0, "anthropic": 5.0, "google": 0.5, "acme": 0.5}
    assert parse_rate_limits("") == {}


@pytest.mark.parametrize("raw", ["openai", "openai=5", "openai=0/s", "openai=-1/s", "openai=5/d", "=5/s", "a b=1/s"])
def test_a_rate_that_is_none_is_refused(raw: str) -> None:
    with pytest.raises(UserInputError, match=r"ORCH_RATE_LIMITS: .* is no limit; write VENDOR=NUMBER/s"):
        parse_rate_limits(raw)


def test_two_rates_of_one_vendor_are_refused() -> None:
    with pytest.raises(UserInputError, match="openai has more than one limit"):
        parse_rate_limits("openai=5/s,openai=6/s")


@pytest.mark.parametrize("raw", ["", "blue team", "a" * 61, "équipe", "a/b"])
def test_a_name_that_no_team_can_have(raw: str) -> None:
    assert parse_team("Blue.team_2-b") == "Blue.team_2-b"
    with pytest.raises(ValueError, match="must be 1 to 60 letters"):
        parse_team(raw)


class Overwriting(ObjectBackend):
    """A store that imitates S3 and ignores the condition."""

    async def create(self, name: str, data: bytes) -> bool:
        """Always True."""
        await self.write(name, data)
        return True


def test_a_store_that_overwrites_is_refused() -> None:
    good = ArtifactStore.open("memory://")
    asyncio.run(require_exclusive(good))
    asyncio.run(require_exclusive(good))
    with pytest.raises(PrerequisiteError, match="two workers could pay for one call"):
        asyncio.run(require_exclusive(ArtifactStore(Overwriting(MemoryStore()))))
