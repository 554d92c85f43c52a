"""All models that a run can be given, with today's prices."""

from datetime import UTC, datetime

from orchestrator.catalog.data import ModelEntry, VendorEntry, catalog_data
from orchestrator.catalog.simulated import simulated_models
from orchestrator.domain.model import ModelSpec
from orchestrator.settings import Settings


def load_catalog(settings: Settings) -> tuple[ModelSpec, ...]:
    """Every model of every vendor, with or without a key, then the simulated ones.

    A model whose price is not known has no prices. Takes half a second: the price data is imported here.
    """
    return (*vendor_models(datetime.now(UTC)), *simulated_models(settings.simulation))


def vendor_models(moment: datetime) -> tuple[ModelSpec, ...]:
    """The models of the vendors with the prices of the day of `moment`."""
    return tuple(
        _spec(vendor, entry, model, moment)
        for vendor, entry in catalog_data().vendors.items()
        for model in entry.models
    )


def _spec(vendor: str, entry: VendorEntry, model: ModelEntry, moment: datetime) -> ModelSpec:
    from orchestrator.catalog.prices import list_prices, override_prices

    if model.prices is not None:
        prices = override_prices(model.prices)
    else:
        prices = list_prices(entry.price_provider, model.model, moment)
    return ModelSpec(
        id=f"{vendor}:{model.model}",
        vendor=vendor,
        model=model.model,
        prices=prices,
        context_tokens=model.limits.context_tokens,
        max_output_tokens=model.limits.max_output_tokens,
        quality=model.quality,
        structured_output=entry.structured_output,
        temperature=model.temperature,
        reasoning=model.reasoning,
    )
