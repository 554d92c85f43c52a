"""The simulated models: what they would cost, how slow and how careful they are."""

from typing import NamedTuple


class SimulatedModel(NamedTuple):
    """`slowness` multiplies the set latency; prices are USD per million tokens at price_scale 1."""

    vendor: str
    model: str
    quality: float
    slowness: float
    input_usd: str
    cached_input_usd: str
    output_usd: str


SIMULATED_MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel("sim-north", "north-pro", 0.92, 2.0, "3.00", "0.30", "15.00"),
    SimulatedModel("sim-north", "north-mini", 0.74, 1.1, "0.80", "0.08", "4.00"),
    SimulatedModel("sim-south", "south-pro", 0.88, 1.6, "2.50", "1.25", "10.00"),
    SimulatedModel("sim-south", "south-mini", 0.66, 1.0, "0.15", "0.075", "0.60"),
    SimulatedModel("sim-east", "east-think", 0.90, 2.5, "0.55", "0.14", "2.19"),
    SimulatedModel("sim-east", "east-chat", 0.80, 1.3, "0.27", "0.07", "1.10"),
)

SIMULATED_VENDORS: tuple[str, ...] = tuple(dict.fromkeys(model.vendor for model in SIMULATED_MODELS))
