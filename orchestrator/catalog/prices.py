"""Prices as integer micro-USD per million tokens: those of the genai-prices package, and those of data files.

No network. Every conversion rounds up, so that a price is never understated.
"""

from datetime import UTC, datetime, time
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from importlib.metadata import version
from math import ceil

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from orchestrator.catalog.data import Prices, Rates
from orchestrator.domain.money import MICRO_PER_USD, PriceTier

_HOURS = 24


def list_source() -> str:
    """Where `list_prices` come from."""
    return f"genai-prices {version('genai-prices')}"


def list_prices(provider: str, model: str, moment: datetime) -> tuple[PriceTier, ...]:
    """Prices of `model` on the day of `moment`, ordered by `from_input_tokens`; empty if they are not known.

    Where the vendor charges by the hour of the day, the dearest hour counts: a run does not choose its hours.
    """
    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return ()
    of_the_day = [_tiers(prices) for prices in _prices_of_the_day(info, moment)]
    if not all(of_the_day):
        return ()
    starts = sorted({tier.from_input_tokens for tiers in of_the_day for tier in tiers})
    return tuple(_dearest(start, [_tier_at(tiers, start) for tiers in of_the_day]) for start in starts)


def own_prices(prices: Prices, rub_per_usd: Decimal) -> tuple[PriceTier, ...]:
    """A price list of a data file; roubles are converted at `rub_per_usd`."""
    units = Fraction(rub_per_usd) if prices.currency == "RUB" else Fraction(1)
    first = _own_tier(prices, 0, units)
    return (first, *(_own_tier(tier, tier.from_input_tokens, units) for tier in prices.tiers))


def _own_tier(rates: Rates, start: int, units_per_usd: Fraction) -> PriceTier:
    def exact(amount: Decimal) -> int:
        return ceil(Fraction(amount) * MICRO_PER_USD / units_per_usd)

    return PriceTier(
        from_input_tokens=start,
        input_micro=exact(rates.input),
        cached_input_micro=exact(rates.input if rates.cached_input is None else rates.cached_input),
        cache_write_micro=None if rates.cache_write is None else exact(rates.cache_write),
        output_micro=exact(rates.output),
    )


def _prices_of_the_day(info: ModelInfo, moment: datetime) -> list[ModelPrice]:
    day = moment.astimezone(UTC).date()
    return [info.get_prices(datetime.combine(day, time(hour, 30), UTC)) for hour in range(_HOURS)]


def _tiers(prices: ModelPrice) -> tuple[PriceTier, ...]:
    fields = (prices.input_mtok, prices.cache_read_mtok, prices.cache_write_mtok, prices.output_mtok)
    if prices.input_mtok is None or prices.output_mtok is None:
        return ()
    # A tier starts above `start` tokens there, from `from_input_tokens` on here.
    starts = sorted(
        {0} | {tier.start + 1 for price in fields if isinstance(price, TieredPrices) for tier in price.tiers}
    )
    return tuple(
        PriceTier(
            from_input_tokens=start,
            input_micro=_at(prices.input_mtok, start),
            cached_input_micro=_at(prices.cache_read_mtok or prices.input_mtok, start),
            cache_write_micro=_surcharged(prices, start),
            output_micro=_at(prices.output_mtok, start),
        )
        for start in starts
    )


def _surcharged(prices: ModelPrice, start: int) -> int | None:
    """What the cache costs to write, where that is more than other input; some lists have a price of storage there."""
    if prices.cache_write_mtok is None or prices.input_mtok is None:
        return None
    written = _at(prices.cache_write_mtok, start)
    return written if written > _at(prices.input_mtok, start) else None


def _at(price: Decimal | TieredPrices, tokens: int) -> int:
    if isinstance(price, TieredPrices):
        active = [tier.price for tier in sorted(price.tiers, key=lambda tier: tier.start) if tokens > tier.start]
        return _micro(active[-1] if active else price.base)
    return _micro(price)


def _tier_at(tiers: tuple[PriceTier, ...], tokens: int) -> PriceTier:
    return [tier for tier in tiers if tier.from_input_tokens <= tokens][-1]


def _dearest(start: int, tiers: list[PriceTier]) -> PriceTier:
    input_micro, written = max(tier.input_micro for tier in tiers), max(tier.written_micro for tier in tiers)
    return PriceTier(
        from_input_tokens=start,
        input_micro=input_micro,
        cached_input_micro=max(tier.cached_input_micro for tier in tiers),
        cache_write_micro=written if written > input_micro else None,
        output_micro=max(tier.output_micro for tier in tiers),
    )


def _micro(usd: Decimal) -> int:
    return int((usd * MICRO_PER_USD).to_integral_value(ROUND_CEILING))
