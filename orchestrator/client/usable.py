"""Which models a run started here would have, before it starts."""

from collections.abc import Sequence

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.routing import usable_models
from orchestrator.settings import Settings


def models_here(
    models: Sequence[ModelSpec], settings: Settings, simulated: bool | None = None
) -> tuple[tuple[ModelSpec, ...], str]:
    """The models to reckon with, and how it is known; empty where simulated models do the work.

    `simulated`: what a run that was planned said; None where none did.
    """
    known = tuple(models)
    here = tuple(settings.vendors)
    if simulated or (simulated is None and settings.embedded and not here):
        return usable_models(known, tuple(model.vendor for model in known if model.simulated)), ""
    if settings.embedded:
        return usable_models(known, here), f"{', '.join(here)}: those with a key here"
    if here:
        return usable_models(known, here), f"{', '.join(here)}: those with a key here; the worker decides"
    every = tuple(model.vendor for model in known if not model.simulated)
    return usable_models(known, every), "the worker decides; all vendors are reckoned with"
