"""The catalog: models, prices, names, routing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog import ROUTING, Catalog, CatalogEntry, load_catalog, open_catalog
from orchestrator.catalog.data import Prices, shipped_vendors
from orchestrator.catalog.prices import list_prices, own_prices
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SHIPPED = [(vendor, model) for vendor, facts in shipped_vendors().items() for model in facts.models]
NAMES_IN_SOURCES = [
    # sources/orchestrator-*.md and reference/orchestrator.md 1.1
    "claude-sonnet-4-6", "claude-haiku-4-5-20251001", "gpt-4o", "gpt-4o-mini", "gemini-2.5-pro", "gemini-2.5-flash",
    "kimi-k2.5", "minimax-3", "zai-glm-4", "deepseek-chat", "deepseek-reasoner", "claude-opus", "claude-sonnet",
    "glm-4",
    # sources/router-readme.md
    "GigaChat", "GigaChat-Pro", "GigaChat-Plus", "GigaChat-2-Pro", "yandexgpt/latest", "yandexgpt-lite/latest",
    # sources/pipelines-readme.md
    "gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "claude-3-opus", "claude-3-sonnet", "claude-3-haiku",
    "gemini-2.5-flash-lite", "gemini-2.0-flash",
]  # fmt: skip


def catalog_of(moment: datetime = NOW, **environment: str) -> Catalog:
    settings = load_settings({"HOME": "/nowhere", "ORCH_HOME": "/nowhere", **environment}, folder=Path("/nowhere"))
    return open_catalog(settings, moment)


CATALOG = catalog_of()
ENTRIES = {entry.spec.id: entry for entry in CATALOG.entries if not entry.spec.simulated}
MODELS = {spec.id: spec for spec in CATALOG.models if not spec.simulated}


def test_every_vendor_has_models() -> None:
    assert set(VENDORS) <= {spec.vendor for spec in MODELS.values()}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.spec.id)
def test_every_model_is_complete(entry: CatalogEntry) -> None:
    spec = entry.spec
    assert spec.id == f"{spec.vendor}:{spec.model}"
    assert spec.region in {"us", "eu", "cn", "ru", "local"}
    assert spec.prices, "a price that genai-prices lacks needs `prices` in the vendor's data file"
    assert 0 < spec.max_output_tokens < spec.context_tokens
    starts = [tier.from_input_tokens for tier in spec.prices]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    for tier in spec.prices:
        free = spec.region == "local"
        assert free == (tier.input_micro == tier.output_micro == 0)
        assert 0 <= tier.cached_input_micro <= tier.input_micro <= tier.output_micro


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.spec.id)
def test_every_value_has_its_source_and_date(entry: CatalogEntry) -> None:
    assert entry.limits_source
    assert entry.limits_date
    assert entry.price_source
    assert entry.price_date
    assert entry.price_date <= NOW.date()


def test_traits_and_retirements_have_their_source_and_date() -> None:
    assert all(facts.traits.source and facts.traits.date for facts in shipped_vendors().values())
    retirements = [model.retirement for _, model in SHIPPED if model.retirement]
    assert retirements
    assert all(retirement.source and retirement.date for retirement in retirements)


@pytest.mark.parametrize("task_type", TaskType)
def test_every_task_type_has_candidates_that_can_be_asked(task_type: TaskType) -> None:
    """Compared with the day of the test: a default that its vendor takes away must be replaced by then."""
    today = {spec.id for spec in catalog_of(datetime.now(UTC)).models}
    assert set(ROUTING[task_type]) <= today
    assert {MODELS[model].vendor for model in ROUTING[task_type]} == set(VENDORS) - {"ollama"}
    assert len(set(ROUTING[task_type])) == len(ROUTING[task_type])


@pytest.mark.parametrize("task_type", TaskType)
def test_no_default_has_an_end_that_is_known(task_type: TaskType) -> None:
    assert not {model: ENTRIES[model].retires_on for model in ROUTING[task_type] if ENTRIES[model].retires_on}


def test_names_mean_one_model() -> None:
    """Ids, names at the vendor and aliases, those of retired models among them, whatever the case."""
    names = [
        name.casefold() for entry in ENTRIES.values() for name in {entry.spec.id, entry.spec.model, *entry.spec.aliases}
    ]
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize("name", NAMES_IN_SOURCES)
def test_names_of_the_documents_are_understood(name: str) -> None:
    found = CATALOG.resolve(name)
    assert found in CATALOG.models
    assert CATALOG.resolve(name.upper()) == found
    assert CATALOG.resolve(f"{found.vendor}:{name}") == found


def test_a_model_that_still_answers_is_asked_itself() -> None:
    assert CATALOG.resolve("gpt-4o").id == "openai:gpt-4o"


def test_a_retired_model_cannot_be_asked_and_its_names_go_to_its_successor() -> None:
    day = ENTRIES["openai:gpt-4o"].retires_on
    assert day is not None
    end = datetime(day.year, day.month, day.day, tzinfo=UTC)
    before, after = catalog_of(end - timedelta(seconds=1)), catalog_of(end)
    assert before.resolve("gpt-4o").id == "openai:gpt-4o"
    assert after.resolve("gpt-4o").id == "openai:gpt-6-luna"
    assert "openai:gpt-4o" not in {spec.id for spec in after.models}
    entry = next(entry for entry in after.entries if entry.spec.id == "openai:gpt-4o")
    assert after.why_gone(entry) == "retired on 2027-01-14; use openai:gpt-6-luna"


def test_successors_exist_and_outlive_what_they_replace() -> None:
    for entry in ENTRIES.values():
        if entry.successor:
            heir = ENTRIES[entry.successor]
            assert entry.retires_on
            assert (heir.retires_on or date.max) > entry.retires_on


def test_a_name_without_meaning_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserInputError, match=r"^unknown model 'gpt-6-lunar'; did you mean 'openai:gpt-6-luna'\?$"):
        CATALOG.resolve("gpt-6-lunar")


def test_the_models_own_name_wins_over_an_alias() -> None:
    def spec(vendor: str, model: str, *aliases: str) -> ModelSpec:
        return ModelSpec(
            id=f"{vendor}:{model}", vendor=vendor, model=model, context_tokens=9, max_output_tokens=1, aliases=aliases
        )

    models = (spec("a", "one", "two"), spec("b", "two"), spec("c", "two"))
    found = [find_model(name, models) for name in ("two", "a:two", "c:two", "three")]
    assert [model.id if model else None for model in found] == ["b:two", "a:one", "c:two", None]


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


def test_roubles_are_converted_at_the_rate_that_was_set() -> None:
    at_default, at_hundred = (
        catalog.resolve("GigaChat-2-Max").prices[0] for catalog in (CATALOG, catalog_of(ORCH_RUB_PER_USD="100"))
    )
    assert at_default.input_micro == 8_666_667  # 650 / 75, rounded up
    assert (at_hundred.input_micro, at_hundred.cached_input_micro) == (6_500_000, 0)
    assert ENTRIES["gigachat:GigaChat-2-Max"].currency == "RUB"


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "x", "0.5", "1e9"])
def test_a_rate_that_cannot_be_is_refused(rate: str) -> None:
    with pytest.raises(UserInputError, match=f"ORCH_RUB_PER_USD='{rate}': give the roubles per US dollar"):
        catalog_of(ORCH_RUB_PER_USD=rate)


amounts = st.decimals(min_value=0, max_value=1_000_000, places=6, allow_nan=False)
rates = st.decimals(min_value=1, max_value=10_000, places=4, allow_nan=False)


@given(amount=amounts, rate=rates)
def test_a_converted_price_is_never_understated_and_at_most_a_micro_dollar_above(
    amount: Decimal, rate: Decimal
) -> None:
    (tier,) = own_prices(Prices(currency="RUB", input=amount, output=amount), rate)
    exact = Fraction(amount) * 1_000_000 / Fraction(rate)
    assert exact <= tier.input_micro < exact + 1
    assert tier.input_micro == tier.cached_input_micro == tier.output_micro


@given(amount=amounts)
def test_dollars_are_not_converted(amount: Decimal) -> None:
    (tier,) = own_prices(Prices(input=amount, output=amount), Decimal("75"))
    assert tier.output_micro == Fraction(amount) * 1_000_000


def test_the_catalog_has_the_simulated_models_too(tmp_path: Path) -> None:
    catalog = load_catalog(load_settings({"HOME": str(tmp_path)}, folder=tmp_path))
    assert [spec for spec in catalog if spec.simulated]
    assert len({spec.id for spec in catalog}) == len(catalog)
