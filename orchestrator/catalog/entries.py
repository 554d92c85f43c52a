"""One model of the catalog with all that is known about it, from our data and from the user's files."""

from datetime import date, datetime
from decimal import Decimal

from orchestrator.catalog.data import ModelEntry, VendorEntry, shipped_vendors
from orchestrator.catalog.overrides import Override
from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.settings.vendors.definition import Capabilities

UNKNOWN_QUALITY = 0.4  # of a model that our data does not name


class CatalogEntry(Frozen):
    """`spec` is what a run gets. Sources say where prices and limits come from; empty where a price is not known.

    From the day `retires_on` the vendor refuses the model; `successor` is the id of the model that then has its name.
    `declared`: a file of the user names it. `installed` is False where a model must be on a machine and is not.
    """

    spec: ModelSpec
    currency: str
    price_source: str
    price_date: date | None
    limits_source: str
    limits_date: date | None
    retires_on: date | None = None
    successor: str = ""
    declared: bool = False
    installed: bool = True

    def retired(self, day: date) -> bool:
        """Whether the vendor refuses the model on `day`."""
        return self.retires_on is not None and day >= self.retires_on


def shipped_entries(moment: datetime, rub_per_usd: Decimal) -> dict[str, CatalogEntry]:
    """The models of our data with the prices of the day of `moment`, by id."""
    entries = (
        _shipped(vendor, facts, model, moment, rub_per_usd)
        for vendor, facts in shipped_vendors().items()
        for model in facts.models
    )
    return {entry.spec.id: entry for entry in entries}


def _shipped(
    vendor: str, facts: VendorEntry, model: ModelEntry, moment: datetime, rub_per_usd: Decimal
) -> CatalogEntry:
    from orchestrator.catalog.prices import list_prices, list_source, own_prices

    own = model.prices
    prices: tuple[PriceTier, ...] = ()
    if own is not None:
        prices = own_prices(own, rub_per_usd)
    elif facts.price_provider:
        prices = list_prices(facts.price_provider, model.model, moment)
    listed = own is None and bool(prices)
    spec = ModelSpec(
        id=f"{vendor}:{model.model}",
        vendor=vendor,
        model=model.model,
        prices=prices,
        context_tokens=model.limits.context_tokens,
        max_output_tokens=model.limits.max_output_tokens,
        quality=model.quality,
        structured_output=facts.structured_output if model.structured_output is None else model.structured_output,
        temperature=model.temperature,
        reasoning=model.reasoning,
        aliases=model.aliases,
        region=facts.region,
        tags=model.tags,
    )
    retirement = model.retirement
    return CatalogEntry(
        spec=spec,
        currency=own.currency if own is not None else "USD",
        price_source=list_source() if listed else own.source if own else "",
        price_date=moment.date() if listed else own.date if own else None,
        limits_source=model.limits.source,
        limits_date=model.limits.date,
        retires_on=retirement.on if retirement else None,
        successor=f"{vendor}:{retirement.successor}" if retirement and retirement.successor else "",
    )


def overridden(before: CatalogEntry, override: Override, rub_per_usd: Decimal) -> CatalogEntry:
    """`before` as `override` changes it. Raises UserInputError for limits that contradict each other."""
    value = override.value
    update = value.model_dump(
        include={"aliases", "tags", "region", "quality", "temperature", "reasoning", "structured_output"}
        | {"context_tokens", "max_output_tokens"},
        exclude_none=True,
    )
    changed: dict[str, object] = {"declared": True}
    if value.prices is not None:
        from orchestrator.catalog.prices import own_prices

        update["prices"] = own_prices(value.prices, rub_per_usd)
        changed |= {"currency": value.prices.currency, "price_source": str(override.file), "price_date": None}
    if value.context_tokens is not None or value.max_output_tokens is not None:
        changed |= {"limits_source": str(override.file), "limits_date": None}
    if value.retires_on is not None:
        changed["retires_on"] = value.retires_on
    spec = before.spec.model_copy(update=update)
    if spec.max_output_tokens > spec.context_tokens:
        field = "max_output_tokens" if value.max_output_tokens is not None else "context_tokens"
        raise override.where(field, "the output limit is above the context window; correct one of them")
    return before.model_copy(update={**changed, "spec": spec})


def added(override: Override, region: str, capabilities: Capabilities | None) -> CatalogEntry:
    """A model that only the user knows, at a vendor of this region and with these abilities, as far as known.

    Raises UserInputError where a limit is missing.
    """
    value = override.value
    if value.context_tokens is None or value.max_output_tokens is None:
        missing = "context_tokens" if value.context_tokens is None else "max_output_tokens"
        raise override.where(missing, "is missing; a model that is not in the catalog needs both limits")
    vendor, _, model = override.id.partition(":")
    spec = ModelSpec(
        id=override.id,
        vendor=vendor,
        model=model,
        context_tokens=value.context_tokens,
        max_output_tokens=value.max_output_tokens,
        quality=UNKNOWN_QUALITY,
        structured_output=capabilities is not None and capabilities.structured_output == "schema",
        temperature=capabilities is None or capabilities.takes_temperature(model),
        region=region,
    )
    return unsourced(spec, str(override.file))


def unsourced(spec: ModelSpec, source: str) -> CatalogEntry:
    """The entry of a model whose values all come from `source`, which has no date."""
    return CatalogEntry(
        spec=spec,
        currency="USD",
        price_source=source if spec.prices else "",
        price_date=None,
        limits_source=source,
        limits_date=None,
    )
