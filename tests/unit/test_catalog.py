"""The catalog: models, prices, routing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.catalog import ROUTING, load_catalog, vendor_models
from orchestrator.catalog.data import PriceOverride, catalog_data
from orchestrator.catalog.prices import list_prices, override_prices
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODELS = {spec.id: spec for spec in vendor_models(NOW)}


def test_every_vendor_has_models() -> None:
    assert {spec.vendor for spec in MODELS.values()} == set(VENDORS)


@pytest.mark.parametrize("spec", MODELS.values(), ids=lambda spec: spec.id)
def test_every_model_is_complete(spec: ModelSpec) -> None:
    assert spec.id == f"{spec.vendor}:{spec.model}"
    assert spec.prices, "a price that genai-prices lacks needs an override in models.yaml"
    assert 0 < spec.max_output_tokens < spec.context_tokens
    starts = [tier.from_input_tokens for tier in spec.prices]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    for tier in spec.prices:
        assert 0 < tier.cached_input_micro <= tier.input_micro < tier.output_micro


@pytest.mark.parametrize("task_type", TaskType)
def test_every_task_type_has_candidates_that_exist(task_type: TaskType) -> None:
    assert set(ROUTING[task_type]) <= set(MODELS)
    usual = {MODELS[model].vendor for model in ROUTING[task_type]} & {"openai", "anthropic", "google"}
    assert usual == {"openai", "anthropic", "google"}


def test_known_prices_in_micro_usd() -> None:
    (tier,) = MODELS["anthropic:claude-haiku-4-5"].prices
    assert (tier.input_micro, tier.cached_input_micro, tier.output_micro) == (1_000_000, 100_000, 5_000_000)


def test_a_tier_starts_above_its_threshold() -> None:
    prices = MODELS["openai:gpt-6.1-terra"].prices
    at = cost_micro(Usage(input_tokens=272_000), prices)
    above = cost_micro(Usage(input_tokens=272_001), prices)
    assert (at, above) == (272_000, 544_002)


def test_prices_by_the_hour_count_at_their_dearest() -> None:
    at_noon, at_night = (list_prices("deepseek", "deepseek-v4-pro", NOW + timedelta(hours=h)) for h in (0, 8))
    assert at_noon == at_night
    assert at_noon[0].input_micro == 1_320_000


def test_prices_follow_the_day() -> None:
    before, after = (list_prices("google", "gemini-4-argon", NOW + timedelta(days=d)) for d in (0, 30))
    assert before[0].input_micro * 2 == after[0].input_micro


def test_an_unknown_model_has_no_prices() -> None:
    assert list_prices("openai", "no-such-model", NOW) == ()
    assert list_prices("no-such-vendor", "gpt-6-luna", NOW) == ()


def test_an_override_is_exact() -> None:
    tiers = [{"input_usd": "0.0000005", "cached_input_usd": "0", "output_usd": "1.5"}]
    override = PriceOverride.model_validate({"tiers": tiers, "source": "test", "date": "2026-11-21"})
    (tier,) = override_prices(override)
    assert (tier.input_micro, tier.output_micro) == (1, 1_500_000)


def test_every_value_names_its_source() -> None:
    for vendor in catalog_data().vendors.values():
        assert vendor.traits.source
        assert all(model.limits.source and model.limits.date for model in vendor.models)


def test_the_catalog_has_the_simulated_models_too(tmp_path: Path) -> None:
    catalog = load_catalog(load_settings({}, folder=tmp_path))
    assert {spec.id for spec in catalog if not spec.simulated} == set(MODELS)
    assert [spec for spec in catalog if spec.simulated]
    assert len({spec.id for spec in catalog}) == len(catalog)
