"""Models as people name them: an id, a name at its vendor, or an alias."""

import difflib
from collections.abc import Callable, Iterable

from orchestrator.domain.model import ModelSpec, find_model

_SHOWN_CHARS = 60

ModelResolver = Callable[[str], str]
"""The id of the model that a name means. Raises ValueError with the nearest name where there is none."""


def model_resolver(models: Callable[[], Iterable[ModelSpec]]) -> ModelResolver:
    """A resolver over `models`, which is called when the first name comes up: a catalog takes its time to load."""
    loaded: list[ModelSpec] = []

    def resolve(name: str) -> str:
        if not loaded:
            loaded.extend(models())
        model = find_model(name, loaded)
        if model is None:
            raise ValueError(f"unknown model {name[:_SHOWN_CHARS]!r}; {_nearest(name, loaded)}")
        return model.id

    return resolve


def _nearest(name: str, models: Iterable[ModelSpec]) -> str:
    ids = {known.casefold(): model.id for model in models for known in (model.model, model.id, *model.aliases)}
    near = difflib.get_close_matches(name.casefold(), ids, n=1, cutoff=0.5)
    return f"did you mean '{ids[near[0]]}'?" if near else "'orch-cli models' lists them"
