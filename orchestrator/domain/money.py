"""Exact money: integer micro-USD, prices in micro-USD per million tokens."""

from orchestrator.domain.base import Frozen

MICRO_PER_USD = 1_000_000
TOKENS_PER_PRICE = 1_000_000


class Usage(Frozen):
    """Tokens of one call, as the vendor reports them.

    `input_tokens` includes `cached_input_tokens`, which were read from the vendor's cache, and `cache_write_tokens`,
    which were written to it; `output_tokens` includes hidden reasoning tokens.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


class PriceTier(Frozen):
    """Prices in micro-USD per million tokens, valid from `from_input_tokens` input tokens of a call.

    `cache_write_micro` is None where writing the cache costs what other input costs.
    """

    from_input_tokens: int = 0
    input_micro: int
    cached_input_micro: int
    cache_write_micro: int | None = None
    output_micro: int

    @property
    def written_micro(self) -> int:
        """The price of input that is written to the cache."""
        return self.input_micro if self.cache_write_micro is None else self.cache_write_micro


FREE = (PriceTier(input_micro=0, cached_input_micro=0, output_micro=0),)
NO_CAP_MICRO = 10**15  # a run without a budget: a billion USD


def usd(micro: int) -> float:
    """Micro-USD as a number of USD for display and JSON, exact to the micro-dollar."""
    return round(micro / MICRO_PER_USD, 6)


def micro(amount_usd: float | str) -> int:
    """USD as micro-USD, rounded half up."""
    from decimal import ROUND_HALF_UP, Decimal

    return int((Decimal(str(amount_usd)) * MICRO_PER_USD).to_integral_value(ROUND_HALF_UP))


def cost_micro(usage: Usage, tiers: tuple[PriceTier, ...]) -> int:
    """What `usage` costs in micro-USD, rounded up once. `tiers` is ordered by `from_input_tokens`."""
    tier = tiers[0]
    for candidate in tiers:
        if usage.input_tokens >= candidate.from_input_tokens:
            tier = candidate
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    total = (
        (usage.input_tokens - cached - written) * tier.input_micro
        + cached * tier.cached_input_micro
        + written * tier.written_micro
        + usage.output_tokens * tier.output_micro
    )
    return -(-total // TOKENS_PER_PRICE)


def upper_bound_micro(input_tokens: int, output_tokens: int, tiers: tuple[PriceTier, ...]) -> int:
    """The most that a call of these sizes can cost: the dearest rate of any tier, whatever the cache does."""
    dearest = PriceTier(
        input_micro=max(max(t.input_micro, t.cached_input_micro, t.written_micro) for t in tiers),
        cached_input_micro=0,
        output_micro=max(t.output_micro for t in tiers),
    )
    return cost_micro(Usage(input_tokens=input_tokens, output_tokens=output_tokens), (dearest,))
