"""The user's file of models: other prices and limits, further models, also of vendors that we do not know."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from orchestrator.catalog.data import Name, Prices, Quality, Tokens
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError
from orchestrator.settings.catalog import CatalogSettings
from orchestrator.settings.yaml_files import shaped
from orchestrator.settings.yaml_source import read_document

ModelId = Annotated[str, Field(max_length=300, pattern=r"^[a-z0-9][a-z0-9_-]*:[!-~]+$")]


class ModelOverride(Frozen):
    """What the user says of one model; what is None stays as it was."""

    aliases: tuple[Name, ...] | None = None
    tags: tuple[Name, ...] | None = None
    region: Name | None = None
    context_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    prices: Prices | None = None
    quality: Quality | None = None
    temperature: bool | None = None
    reasoning: bool | None = None
    structured_output: bool | None = None
    retires_on: date | None = None


class OverrideFile(Frozen):
    """The whole file."""

    models: dict[ModelId, ModelOverride] = {}


class Override(Frozen):
    """One entry of a file: `where` makes the error that names its line."""

    id: str
    value: ModelOverride
    file: Path
    where: Callable[[str, str], UserInputError]


def read_overrides(settings: CatalogSettings) -> tuple[Override, ...]:
    """The entries of all files of the user, in the order in which they apply.

    Raises UserInputError, one line, for a file that is missing or wrong.
    """
    return tuple(
        override
        for path in settings.models_files
        if path in settings.required or path.exists()
        for override in _read(path)
    )


def _read(path: Path) -> tuple[Override, ...]:
    document = read_document(path)
    content = shaped(document, OverrideFile, page="docs/models.md")

    def complaint(model_id: str) -> Callable[[str, str], UserInputError]:
        def where(field: str, words: str) -> UserInputError:
            return document.error(("models", model_id, *((field,) if field else ())), words)

        return where

    return tuple(
        Override(id=model_id, value=value, file=path, where=complaint(model_id))
        for model_id, value in content.models.items()
    )
