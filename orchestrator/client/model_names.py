"""Models as people name them in files and commands."""

from collections.abc import Callable

from orchestrator.catalog import Catalog
from orchestrator.domain.errors import UserInputError

ModelResolver = Callable[[str], str]
"""The id of the model that a name means. Raises ValueError, with one line, where there is none that can be asked."""


def model_resolver(catalog: Callable[[], Catalog]) -> ModelResolver:
    """A resolver over `catalog`, which is called when a name comes up: a catalog takes its time to load."""

    def resolve(name: str) -> str:
        try:
            return catalog().resolve(name).id
        except UserInputError as error:
            raise ValueError(str(error)) from None

    return resolve
