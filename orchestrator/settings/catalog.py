"""What the environment says about models: the rate of roubles, and a further file of the user's."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from orchestrator.domain.errors import UserInputError

# Set on 2026-11-21, on purpose below the last official rate at hand (80.94 on 2025-11-20): fewer roubles per dollar
# make a price in dollars higher, so a cap holds although the rate moves.
DEFAULT_RUB_PER_USD = Decimal("75")

_RATE = "ORCH_RUB_PER_USD"
_FILE = "ORCH_MODELS_FILE"


class CatalogSettings(BaseModel):
    """`models_files` are read in this order, the last one wins; those of `required` must exist."""

    model_config = ConfigDict(frozen=True)

    rub_per_usd: Decimal
    models_files: tuple[Path, ...]
    required: tuple[Path, ...]


def catalog_settings(environment: Mapping[str, str], home: Path) -> CatalogSettings:
    """Settings of the catalog from the merged environment. Raises UserInputError for a value that cannot be used."""
    named = tuple(Path(value).expanduser().absolute() for value in (environment.get(_FILE, ""),) if value)
    return CatalogSettings(
        rub_per_usd=_rate(environment.get(_RATE, "")),
        models_files=(home / "models.yaml", *named),
        required=named,
    )


def _rate(raw: str) -> Decimal:
    if not raw:
        return DEFAULT_RUB_PER_USD
    try:
        rate = Decimal(raw)
    except InvalidOperation:
        rate = Decimal(0)
    if not rate.is_finite() or not 1 <= rate <= 10_000:
        raise UserInputError(f"{_RATE}={raw[:60]!r}: give the roubles per US dollar, such as {DEFAULT_RUB_PER_USD}")
    return rate
