"""The work of `models`."""

from typing import Any

from cli.console import columns, show, show_json
from orchestrator.catalog import load_catalog
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import usd
from orchestrator.settings import Settings, load_settings
from orchestrator.settings.vendors import VENDORS


def show_models(*, json_output: bool) -> int:
    """Show every model of the catalog, usable ones first."""
    settings = load_settings()
    rows = sorted(
        (model_object(model, settings) for model in load_catalog(settings)),
        key=lambda row: (not row["usable"], row["vendor"], row["model"]),
    )
    if json_output:
        show_json({"models": rows})
        return 0
    head = ("model", "in $/M", "cached", "out $/M", "context", "output", "usable")
    for line in columns([head, *(_row(row) for row in rows)], indent=""):
        show(line)
    return 0


def model_object(model: ModelSpec, settings: Settings) -> dict[str, Any]:
    """One entry of `models --json`; prices are those of the smallest calls, None where they are unknown."""
    first = model.prices[0] if model.prices else None
    why_not = _why_not(model, settings)
    return {
        "id": model.id,
        "vendor": model.vendor,
        "model": model.model,
        "input_usd_per_mtok": usd(first.input_micro) if first else None,
        "cached_input_usd_per_mtok": usd(first.cached_input_micro) if first else None,
        "output_usd_per_mtok": usd(first.output_micro) if first else None,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "usable": not why_not,
        "why_not": why_not,
    }


def _why_not(model: ModelSpec, settings: Settings) -> str:
    """Why a run of this machine would not ask the model; empty where it would."""
    if model.simulated:
        return "simulated: only asked where no vendor has a key" if settings.vendors else ""
    if model.vendor not in settings.vendors:
        definition = VENDORS.get(model.vendor)
        return f"no key: set {' or '.join(definition.key_names)}" if definition else "no such vendor here"
    return "" if model.prices else "price unknown: refused while a budget is set"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    prices = tuple(
        "?" if row[name] is None else f"{row[name]:g}"
        for name in ("input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok")
    )
    limits = (str(row["context_tokens"]), str(row["max_output_tokens"]))
    return (row["id"], *prices, *limits, row["why_not"] or "yes")
