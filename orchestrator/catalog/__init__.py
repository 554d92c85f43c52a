"""Models, their prices and limits, and which task prefers which."""

from orchestrator.catalog.catalog import Catalog, catalog_here, load_catalog, open_catalog
from orchestrator.catalog.entries import CatalogEntry
from orchestrator.catalog.routing import ROUTING

__all__ = ["ROUTING", "Catalog", "CatalogEntry", "catalog_here", "load_catalog", "open_catalog"]
