"""A model as a run sees it: identity, prices and limits, frozen into the run's input."""

from orchestrator.domain.base import Frozen
from orchestrator.domain.money import PriceTier


class ModelSpec(Frozen):
    """One model of one vendor. `id` is `vendor:model`."""

    id: str
    vendor: str
    model: str
    prices: tuple[PriceTier, ...] = ()  # ordered by from_input_tokens; empty means that the price is unknown
    context_tokens: int
    max_output_tokens: int
    quality: float = 0.5  # prior between 0 and 1, orders candidates where no table names them
    structured_output: bool = True  # the vendor has a native mode for JSON schemas
    temperature: bool = True  # False: the model refuses the parameter
    reasoning: bool = False  # spends hidden output tokens before the answer
    simulated: bool = False
