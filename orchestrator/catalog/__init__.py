"""Models, their prices and limits, and which task prefers which."""

from orchestrator.catalog.catalog import load_catalog, vendor_models
from orchestrator.catalog.routing import ROUTING

__all__ = ["ROUTING", "load_catalog", "vendor_models"]
