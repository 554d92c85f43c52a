"""The work of `models`: the table, and the object of `models --json`."""

from typing import Any

from cli.console import columns, show, show_json
from orchestrator.catalog import Catalog, CatalogEntry, catalog_here
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier, usd
from orchestrator.settings import Settings, load_settings


def show_models(*, json_output: bool) -> int:
    """Show every model of the catalog, usable ones first."""
    settings = load_settings()
    catalog = catalog_here(settings)
    rows = sorted(
        (model_object(entry, catalog, settings) for entry in catalog.entries),
        key=lambda row: (not row["usable"], row["vendor"], row["model"]),
    )
    if json_output:
        show_json({"models": rows})
        return 0
    head = ("model", "in $/M", "cached", "out $/M", "context", "output", "usable")
    for line in columns([head, *(_row(row) for row in rows)], indent=""):
        show(line)
    if any(row["currency"] != "USD" for row in rows):
        show("\nPrices in roubles are shown in dollars at ORCH_RUB_PER_USD (docs/models.md).")
    return 0


def model_object(entry: CatalogEntry, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """One entry of `models --json`; prices are those of the smallest calls, None where they are unknown."""
    model = entry.spec
    reason = why_not(entry, catalog, settings)
    named = next((spec for spec in catalog.models if spec.id == model.id), model)
    first = _prices(model.prices[0]) if model.prices else dict.fromkeys(_PRICE_FIELDS)
    return {
        "id": model.id,
        "vendor": model.vendor,
        "model": model.model,
        **first,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "usable": not reason,
        "why_not": reason,
        "aliases": list(named.aliases),
        "region": model.region,
        "tags": list(model.tags),
        "capabilities": _capabilities(model, settings),
        "price_tiers": [_tier(tier) for tier in model.prices],
        "currency": entry.currency,
        "price_source": entry.price_source,
        "price_date": entry.price_date.isoformat() if entry.price_date else None,
        "limits_source": entry.limits_source,
        "limits_date": entry.limits_date.isoformat() if entry.limits_date else None,
        "retires_on": entry.retires_on.isoformat() if entry.retires_on else None,
        "successor": entry.successor or None,
    }


def why_not(entry: CatalogEntry, catalog: Catalog, settings: Settings) -> str:
    """Why a run of this machine would not ask the model; empty where it would."""
    model = entry.spec
    if entry.retired(catalog.day):
        return catalog.why_gone(entry)
    if model.simulated:
        return "simulated: only asked where no vendor has a key" if settings.vendors else ""
    if model.vendor not in settings.vendors:
        return settings.unusable.get(model.vendor) or "no such vendor: declare it in vendors.yaml (docs/models.md)"
    return catalog.why_gone(entry) or ("" if model.prices else "price unknown: refused while a budget is set")


_PRICE_FIELDS = ("input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok")


def _prices(tier: PriceTier) -> dict[str, float]:
    amounts = (tier.input_micro, tier.cached_input_micro, tier.output_micro)
    return dict(zip(_PRICE_FIELDS, (usd(amount) for amount in amounts), strict=True))


def _tier(tier: PriceTier) -> dict[str, float]:
    written = {"cache_write_usd_per_mtok": usd(tier.written_micro)}
    return {"from_input_tokens": tier.from_input_tokens, **_prices(tier), **written}


def _capabilities(model: ModelSpec, settings: Settings) -> list[str]:
    definition, access = settings.definitions.get(model.vendor), settings.vendors.get(model.vendor)
    wanted = access is not None and access.options.get("prompt_cache") == "on"
    caches = definition is not None and definition.capabilities.caches_prompts(model.model, wanted=wanted)
    cheaper = any(tier.cached_input_micro < tier.input_micro for tier in model.prices)
    has = {
        "structured_output": model.structured_output,
        "temperature": model.temperature,
        "reasoning": model.reasoning,
        "prompt_caching": caches and cheaper,
    }
    return [name for name, value in has.items() if value]


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    prices = tuple("?" if row[name] is None else f"{row[name]:g}" for name in _PRICE_FIELDS)
    limits = (str(row["context_tokens"]), str(row["max_output_tokens"]))
    note = f"yes, until {row['retires_on']}" if row["retires_on"] else "yes"
    return (row["id"], *prices, *limits, row["why_not"] or note)
