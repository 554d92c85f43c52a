"""Simulated vendors: catalog, prices, determinism, latency, refusals, streaming."""

import asyncio
import itertools
import subprocess
import sys
import time

import pytest

from orchestrator.catalog.simulated import SIMULATED_ROUTING, simulated_models
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError
from orchestrator.providers.simulated import open_simulated
from orchestrator.providers.simulated.fences import read_files, write_files
from orchestrator.settings import SimulationSettings
from orchestrator.settings.simulated import SIMULATED_VENDORS
from tests.unit.simulated_talk import RATE_LIMITER, ask, quick, task_section

SECTIONS = {"project": RATE_LIMITER, "task": task_section(["rate_limiter/limiter.py"])}


def request(prompt: str = "p", model: str = "north-pro") -> ModelRequest:
    return ModelRequest(model=model, system="", prompt=prompt, max_tokens=8192, sections=SECTIONS)


def test_models_of_three_vendors_differ_and_are_free_but_priced() -> None:
    models = simulated_models(SimulationSettings())
    assert len(SIMULATED_VENDORS) >= 3
    assert {m.vendor for m in models} == set(SIMULATED_VENDORS)
    assert all(m.simulated and m.vendor.startswith("sim-") and m.id == f"{m.vendor}:{m.model}" for m in models)
    assert len({m.quality for m in models}) == len(models)
    million = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert [cost_micro(million, m.prices) for m in models] == [0] * len(models)


def test_prices_follow_the_scale() -> None:
    by_id = {m.id: m for m in simulated_models(SimulationSettings(price_scale=1))}
    tier = by_id["sim-north:north-pro"].prices[0]
    assert (tier.input_micro, tier.cached_input_micro, tier.output_micro) == (3_000_000, 300_000, 15_000_000)
    half = {m.id: m.prices[0].output_micro for m in simulated_models(SimulationSettings(price_scale=0.5))}
    assert half == {model_id: m.prices[0].output_micro // 2 for model_id, m in by_id.items()}
    assert len(set(half.values())) == len(half)


def test_neighbours_in_the_routing_are_of_different_vendors() -> None:
    known = {m.id for m in simulated_models(SimulationSettings())}
    assert set(SIMULATED_ROUTING) == set(TaskType)
    for order in SIMULATED_ROUTING.values():
        assert set(order) <= known
        vendors = [model_id.partition(":")[0] for model_id in order]
        assert all(a != b for a, b in itertools.pairwise(vendors))
        assert set(vendors) == set(SIMULATED_VENDORS)


def test_importing_the_package_loads_no_answers() -> None:
    code = (
        "import sys, orchestrator.providers.simulated as s;"
        "sys.exit(any(n in sys.modules for n in (s.__name__ + '.provider', s.__name__ + '.software', 'asyncio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_same_request_gets_the_same_answer_in_every_process() -> None:
    model = "sim-south:south-mini"
    answers = {ask(model, Stage.GENERATE, SECTIONS, quick(seed=3, defect_rate=1)).text for _ in range(3)}
    assert len(answers) == 1
    others = {ask(model, Stage.GENERATE, SECTIONS, quick(seed, defect_rate=1)).text for seed in range(20)}
    assert len(others) > 3


def test_an_answer_comes_in_pieces_with_usage_of_its_bytes() -> None:
    pieces: list[str] = []
    provider = open_simulated("sim-north", quick())
    answer = asyncio.run(provider.complete(request("prompt"), pieces.append))
    assert len(pieces) > 3
    assert "".join(pieces) == answer.text
    assert answer.usage == Usage(input_tokens=2, output_tokens=-(-len(answer.text.encode()) // 4))
    assert answer.finish is FinishReason.STOP


def test_an_answer_longer_than_the_limit_is_cut_and_says_so() -> None:
    answer = ask("sim-north:north-pro", Stage.PLAN, {"project": RATE_LIMITER}, quick(), max_tokens=50)
    assert answer.finish is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_tokens == 50


def test_slow_models_take_longer_and_calls_run_side_by_side() -> None:
    settings = SimulationSettings(latency_ms=40)

    async def timed(vendor: str, model: str, calls: int) -> float:
        provider = open_simulated(vendor, settings)
        started = time.perf_counter()
        await asyncio.gather(*(provider.complete(request(str(n), model), lambda text: None) for n in range(calls)))
        return time.perf_counter() - started

    assert asyncio.run(timed("sim-south", "south-mini", 1)) >= 0.04
    assert asyncio.run(timed("sim-east", "east-think", 1)) >= 0.1
    assert asyncio.run(timed("sim-south", "south-mini", 50)) < 50 * 0.04


def test_refusals_come_at_their_rate_unbilled_and_pass_when_asked_again() -> None:
    provider = open_simulated("sim-north", quick(error_rate=0.3))
    failures: list[CallFailure] = []

    async def until_answered(prompt: str) -> ModelAnswer:
        for _ in range(20):
            try:
                return await provider.complete(request(prompt), lambda text: None)
            except ProviderError as error:
                failures.append(error.failure)
        raise AssertionError("refused twenty times")

    async def scenario() -> None:
        for number in range(400):
            await until_answered(str(number))

    asyncio.run(scenario())
    assert {failure.kind for failure in failures} == {FailureKind.RATE_LIMIT, FailureKind.SERVER}
    assert 0.22 < len(failures) / (400 + len(failures)) < 0.38
    for failure in failures:
        limited = failure.kind is FailureKind.RATE_LIMIT
        assert failure.fate is Fate.UNBILLED
        assert failure.status == (429 if limited else 503)
        assert (failure.retry_after_s is not None) == limited


def test_nothing_is_refused_by_default_and_everything_at_one() -> None:
    for number in range(30):
        ask("sim-east:east-chat", Stage.GENERATE, {**SECTIONS, "criteria": str(number)}, quick())
    with pytest.raises(ProviderError):
        ask("sim-east:east-chat", Stage.GENERATE, SECTIONS, quick(error_rate=1))


def test_unknown_models_and_vendors() -> None:
    with pytest.raises(ProviderError) as caught:
        ask("sim-north:south-pro", Stage.PLAN, SECTIONS, quick())
    assert caught.value.failure.kind is FailureKind.NOT_FOUND
    with pytest.raises(ValueError, match="sim-north"):
        open_simulated("openai", quick())


def test_files_survive_their_fences() -> None:
    files = {
        "a/b.py": "x = 1\n",
        "README.md": "# T\n\n```python\npass\n```\n\n````\n```\n````\n",
        "with space.txt": "`x`\n",
    }
    assert read_files(f"Some words.\n\n{write_files(files)}\n\nMore words.") == files
    assert read_files("```python path=cut.py\nx = 1") == {"cut.py": "x = 1\n"}
    assert read_files("```python\nx = 1\n```") == {}
