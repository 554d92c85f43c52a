"""Configuration from the environment."""

from orchestrator.settings.access import VendorSettings
from orchestrator.settings.settings import Settings, SimulationSettings, load_settings

__all__ = ["Settings", "SimulationSettings", "VendorSettings", "load_settings"]
