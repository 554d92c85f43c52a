"""The catalog's prices of the providers' models."""

import re
from functools import cached_property

from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.domain.money import FREE, PriceTier
from orchestrator.providers.generation import BaseProvider

_FREE_VENDORS = ("mock", "ollama")
_FOLDER = re.compile(r"^gpt://[^/]+/")  # whole addresses of Yandex's models name the user's folder


class PriceList:
    """Prices of today, from the catalog and the user's files.

    The first provider of a vendor takes half a second: the price data is imported then.
    """

    def spec_of(self, provider: BaseProvider) -> ModelSpec:
        """The provider as breaker and prices see it: `vendor` is its own name, since its circuits are its own."""
        name, model = provider.config.name, provider.model
        return ModelSpec(
            id=f"{name}:{model}",
            vendor=name,
            model=model,
            prices=self._prices(provider.vendor, model),
            context_tokens=0,
            max_output_tokens=0,
        )

    def _prices(self, vendor: str, model: str) -> tuple[PriceTier, ...]:
        if vendor in _FREE_VENDORS:
            return FREE
        if not vendor:
            return ()
        found = find_model(f"{vendor}:{_FOLDER.sub('', model)}", self._models)
        return found.prices if found is not None else ()

    @cached_property
    def _models(self) -> tuple[ModelSpec, ...]:
        from orchestrator.catalog import open_catalog
        from orchestrator.settings import load_settings

        return open_catalog(load_settings()).models
