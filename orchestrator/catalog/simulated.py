"""Catalog entries and routing of the simulated models."""

from decimal import ROUND_HALF_UP, Decimal

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier, micro
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import SimulationSettings
from orchestrator.settings.simulated import SIMULATED_MODELS, SimulatedModel

CONTEXT_TOKENS = 200_000
MAX_OUTPUT_TOKENS = 32_000

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
            region="local",
            tags=("simulated",),
        )
        for model in SIMULATED_MODELS
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
