"""The simulated models: what they would cost, how slow and how careful they are."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier, micro
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import SimulationSettings

CONTEXT_TOKENS = 200_000
MAX_OUTPUT_TOKENS = 32_000


class SimulatedModel(NamedTuple):
    """`slowness` multiplies the set latency; prices are USD per million tokens at price_scale 1."""

    vendor: str
    model: str
    quality: float
    slowness: float
    input_usd: str
    cached_input_usd: str
    output_usd: str


MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel("sim-north", "north-pro", 0.92, 2.0, "3.00", "0.30", "15.00"),
    SimulatedModel("sim-north", "north-mini", 0.74, 1.1, "0.80", "0.08", "4.00"),
    SimulatedModel("sim-south", "south-pro", 0.88, 1.6, "2.50", "1.25", "10.00"),
    SimulatedModel("sim-south", "south-mini", 0.66, 1.0, "0.15", "0.075", "0.60"),
    SimulatedModel("sim-east", "east-think", 0.90, 2.5, "0.55", "0.14", "2.19"),
    SimulatedModel("sim-east", "east-chat", 0.80, 1.3, "0.27", "0.07", "1.10"),
)

SIMULATED_VENDORS: tuple[str, ...] = tuple(dict.fromkeys(model.vendor for model in MODELS))

# Neighbours differ in vendor, so that a reviewer, a judge or a substitute is of another one than the author.
_CODE = ("sim-east:east-chat", "sim-north:north-pro", "sim-south:south-pro", "sim-north:north-mini")
_REASONING = ("sim-east:east-think", "sim-north:north-pro", "sim-south:south-pro", "sim-east:east-chat")
_REVIEW = ("sim-south:south-pro", "sim-east:east-chat", "sim-north:north-mini", "sim-south:south-mini")
_PROSE = ("sim-north:north-mini", "sim-south:south-pro", "sim-east:east-chat", "sim-north:north-pro")
_CHEAP = ("sim-south:south-mini", "sim-north:north-mini", "sim-east:east-chat", "sim-south:south-pro")
_JUDGES = ("sim-north:north-mini", "sim-south:south-mini", "sim-east:east-chat", "sim-north:north-pro")

SIMULATED_ROUTING: dict[TaskType, tuple[str, ...]] = {
    TaskType.CODE_GENERATION: _CODE,
    TaskType.CODE_REVIEW: _REVIEW,
    TaskType.COMPLEX_REASONING: _REASONING,
    TaskType.CREATIVE_WRITING: _PROSE,
    TaskType.DATA_EXTRACTION: _CHEAP,
    TaskType.SUMMARIZATION: _CHEAP,
    TaskType.EVALUATION: _JUDGES,
}


def simulated_models(settings: SimulationSettings) -> tuple[ModelSpec, ...]:
    """All simulated models. Their prices are known: list prices times `price_scale`, so 0 by default."""
    return tuple(
        ModelSpec(
            id=f"{model.vendor}:{model.model}",
            vendor=model.vendor,
            model=model.model,
            prices=(_tier(model, settings.price_scale),),
            context_tokens=CONTEXT_TOKENS,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            quality=model.quality,
            simulated=True,
        )
        for model in MODELS
    )


def _tier(model: SimulatedModel, scale: float) -> PriceTier:
    return PriceTier(
        input_micro=_scaled(model.input_usd, scale),
        cached_input_micro=_scaled(model.cached_input_usd, scale),
        output_micro=_scaled(model.output_usd, scale),
    )


def _scaled(price_usd: str, scale: float) -> int:
    exact = micro(price_usd) * Decimal(str(scale))
    return int(exact.to_integral_value(ROUND_HALF_UP))
