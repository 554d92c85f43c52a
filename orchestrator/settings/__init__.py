"""Configuration from the environment."""

from orchestrator.settings.settings import Settings, SimulationSettings, VendorSettings, load_settings

__all__ = ["Settings", "SimulationSettings", "VendorSettings", "load_settings"]
