"""A model as a run sees it: identity, prices and limits, frozen into the run's input."""

from collections.abc import Iterable

from orchestrator.domain.base import Frozen
from orchestrator.domain.money import PriceTier


class ModelSpec(Frozen):
    """One model of one vendor. `id` is `vendor:model`."""

    id: str
    vendor: str
    model: str
    prices: tuple[PriceTier, ...] = ()  # ordered by from_input_tokens; empty means that the price is unknown
    context_tokens: int
    max_output_tokens: int
    quality: float = 0.5  # prior between 0 and 1, orders candidates where no table names them
    structured_output: bool = True  # the vendor has a native mode for JSON schemas
    temperature: bool = True  # False: the model refuses the parameter
    reasoning: bool = False  # spends hidden output tokens before the answer
    simulated: bool = False
    aliases: tuple[str, ...] = ()  # other names of the model, those of retired models that it replaces among them
    region: str = ""  # where the vendor works: us, eu, cn, ru, local; empty where it is not known
    tags: tuple[str, ...] = ()  # what the model is for, such as cheap or code


def find_model(name: str, models: Iterable[ModelSpec]) -> ModelSpec | None:
    """The model that `name` means: an id, else the name at the vendor, else an alias; None where none does.

    Case does not count. Of several vendors with the same name the first in `models` is meant.
    """
    wanted = name.strip().casefold()
    known = tuple(models)
    for names_of in (_ids, _names, _aliases):
        for model in known:
            if wanted in names_of(model):
                return model
    return None


def _ids(model: ModelSpec) -> tuple[str, ...]:
    return (model.id.casefold(),)


def _names(model: ModelSpec) -> tuple[str, ...]:
    return (model.model.casefold(),)


def _aliases(model: ModelSpec) -> tuple[str, ...]:
    plain = tuple(alias.casefold() for alias in model.aliases)
    return (*plain, *(f"{model.vendor}:{alias}" for alias in plain))
