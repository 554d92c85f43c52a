"""The shapes of catalog data, and the files that ship with the package: one per vendor, each value with its source."""

from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.domain.base import Frozen
from orchestrator.settings.yaml_files import shaped
from orchestrator.settings.yaml_source import parse_document

# Per million tokens, in the currency of the price list.
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Tokens = Annotated[int, Field(gt=0, le=1_000_000_000)]
Quality = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Currency = Literal["USD", "RUB"]


class Rates(Frozen):
    """Prices of one tier; cached input, and what is written to the cache, cost what input costs if nothing is said."""

    input: Money
    cached_input: Money | None = None
    cache_write: Money | None = None
    output: Money


class RateStep(Rates):
    """Prices from a number of input tokens of a call on."""

    from_input_tokens: Tokens


class Prices(Rates):
    """A price list: the first tier, and the further ones."""

    currency: Currency = "USD"
    tiers: tuple[RateStep, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> "Prices":
        starts = [tier.from_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError("tiers must be in rising order of from_input_tokens")
        return self


class Provenance(Frozen):
    """Where values were read, and when."""

    source: str = Field(min_length=1)
    date: date


class SourcedPrices(Prices, Provenance):
    """Prices that genai-prices lacks, or that replace its own."""


class Limits(Provenance):
    """Sizes of one model."""

    context_tokens: Tokens
    max_output_tokens: Tokens


class Retirement(Provenance):
    """From the day `on` the vendor refuses the model; `successor` (a model of the same vendor) then has its name."""

    on: date
    successor: str | None = None


class ModelEntry(Frozen):
    """One model of a vendor. What is None is the vendor's."""

    model: Name
    aliases: tuple[Name, ...] = ()
    tags: tuple[Name, ...] = ()
    limits: Limits
    quality: Quality
    temperature: bool = True
    reasoning: bool = False
    structured_output: bool | None = None
    prices: SourcedPrices | None = None
    retirement: Retirement | None = None


class VendorEntry(Frozen):
    """The models of one vendor. `price_provider` is the vendor's name in genai-prices, None where it has none."""

    price_provider: str | None = None
    region: str = Field(min_length=1)
    traits: Provenance
    structured_output: bool
    models: tuple[ModelEntry, ...] = Field(min_length=1)


@cache
def shipped_vendors() -> dict[str, VendorEntry]:
    """The data that ships with the package, by vendor."""
    folder = files("orchestrator.catalog").joinpath("data")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return {
        file.name.removesuffix(".yaml"): shaped(parse_document(file.read_bytes(), file.name), VendorEntry)
        for file in found
    }
