"""What the catalog says of a model and what its vendor declares agree."""

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.domain.model import ModelSpec
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS

MODELS = [entry.spec for entry in open_catalog(load_settings({})).entries if not entry.spec.simulated]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.id)
def test_temperature(spec: ModelSpec) -> None:
    assert VENDORS[spec.vendor].capabilities.takes_temperature(spec.model) == spec.temperature


@pytest.mark.parametrize("vendor", VENDORS)
def test_structured_output(vendor: str) -> None:
    native = VENDORS[vendor].capabilities.structured_output == "schema"
    assert {spec.structured_output for spec in MODELS if spec.vendor == vendor} <= {native, False}
