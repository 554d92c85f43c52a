"""The catalog's own data file: models, limits and traits, each with its source."""

from datetime import date
from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field

from orchestrator.domain.base import Frozen


class Limits(Frozen):
    """Sizes of one model in tokens, and where they were read."""

    context_tokens: int = Field(gt=0)
    max_output_tokens: int = Field(gt=0)
    source: str = Field(min_length=1)
    date: date


class Provenance(Frozen):
    """Where values were read, and when."""

    source: str = Field(min_length=1)
    date: date


class TierOverride(Frozen):
    """Prices in USD per million tokens, as strings, so that they stay exact."""

    from_input_tokens: int = 0
    input_usd: str
    cached_input_usd: str
    output_usd: str


class PriceOverride(Frozen):
    """Prices that replace those of genai-prices."""

    tiers: tuple[TierOverride, ...] = Field(min_length=1)
    source: str = Field(min_length=1)
    date: date


class ModelEntry(Frozen):
    """One model of a vendor."""

    model: str
    limits: Limits
    quality: float = Field(ge=0, le=1)
    temperature: bool = True
    reasoning: bool = False
    prices: PriceOverride | None = None


class VendorEntry(Frozen):
    """The models of one vendor. `price_provider` is the vendor's name in genai-prices."""

    price_provider: str
    traits: Provenance
    structured_output: bool = True
    models: tuple[ModelEntry, ...]


class CatalogData(Frozen):
    """The whole file."""

    vendors: dict[str, VendorEntry]


@cache
def catalog_data() -> CatalogData:
    """The data file that ships with the package."""
    text = files("orchestrator.catalog").joinpath("models.yaml").read_text(encoding="utf-8")
    return CatalogData.model_validate(yaml.safe_load(text))
