"""Simulated vendors: for trying the orchestrator without keys, free, offline and reproducible.

Their models answer from software that they know by heart, with real defects in a share of the first drafts.
"""

from orchestrator.providers.base import Provider
from orchestrator.settings import SimulationSettings

__all__ = ["open_simulated"]


def open_simulated(vendor: str, settings: SimulationSettings) -> Provider:
    """The provider of one of settings.simulated.SIMULATED_VENDORS. Raises ValueError for another name."""
    from orchestrator.providers.simulated.provider import SimulatedProvider

    return SimulatedProvider(vendor, settings)
