"""Who answers the llm steps of a run in this process: a function, the mock, or the vendors."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from orchestrator.catalog import load_catalog, open_catalog
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.domain.money import FREE
from orchestrator.domain.pipeline import LlmStep
from orchestrator.domain.text import one_line
from orchestrator.pipelines.mock import estimated_usage, mock_answer
from orchestrator.pipelines.threads import in_thread
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, Provider, ProviderError
from orchestrator.providers.errors import provider_error
from orchestrator.providers.registry import open_provider
from orchestrator.providers.simulated import open_simulated
from orchestrator.settings import Settings, load_settings

ModelFunction = Callable[[str, str, dict[str, Any]], str | Awaitable[str]]
"""Takes the model's name, the prompt and all variables; gives the answer."""

_UNLIMITED_TOKENS = 10_000_000


class ModelSource(Protocol):
    """Answers requests. `estimated`: nobody bills them."""

    estimated: bool

    async def prepare(self) -> tuple[ModelSpec, ...] | None:
        """Read the catalog, which takes a second at first, outside of the event loop.

        The models that steps may name, None where any name will do.
        """

    def models_of(self, step: LlmStep, *, capped: bool) -> tuple[ModelSpec, ...]:
        """Once prepared: the step's model and its fallbacks that can be asked, with a budget those with a price."""

    async def ask(self, model: ModelSpec, request: ModelRequest, context: Mapping[str, Any]) -> ModelAnswer:
        """One answer. Raises ProviderError."""

    async def aclose(self) -> None:
        """Close connections."""


class _Named:
    """Models by any name: those of the catalog have its prices, others may be asked where there is no budget."""

    estimated = True

    async def prepare(self) -> tuple[ModelSpec, ...] | None:
        await in_thread(_catalog)
        return None

    async def aclose(self) -> None:
        return

    def models_of(self, step: LlmStep, *, capped: bool) -> tuple[ModelSpec, ...]:
        found = {name: self._model(name, capped=capped) for name in (step.model, *step.fallback)}
        return tuple(model for model in found.values() if model is not None)

    def _model(self, name: str, *, capped: bool) -> ModelSpec | None:
        known = find_model(name, _catalog())
        if known is not None and (known.prices or not capped):
            changed = {"id": name, "model": name, "prices": known.prices or FREE, "context_tokens": _UNLIMITED_TOKENS}
            return known.model_copy(update=changed)
        if capped:
            return None
        limits = {"context_tokens": _UNLIMITED_TOKENS, "max_output_tokens": _UNLIMITED_TOKENS}
        return ModelSpec.model_validate({"id": name, "vendor": name, "model": name, "prices": FREE, **limits})


class MockSource(_Named):
    """The mock: answers at once, in JSON where the step has a schema."""

    async def ask(self, model: ModelSpec, request: ModelRequest, context: Mapping[str, Any]) -> ModelAnswer:
        text = mock_answer(model.model, request.prompt, request.json_schema)
        return ModelAnswer(text=text, usage=estimated_usage(request.prompt, text), finish=FinishReason.STOP)


class FunctionSource(_Named):
    """A function of the user. Unless it is `async` it runs in a thread, which a timeout leaves behind.

    Of `retry_on`, where it is given, is every exception after which the function may be asked again.
    """

    def __init__(self, function: ModelFunction, retry_on: tuple[type[Exception], ...] = ()) -> None:
        self._function = function
        self._retry_on = retry_on
        self._asynchronous = inspect.iscoroutinefunction(function)

    async def ask(self, model: ModelSpec, request: ModelRequest, context: Mapping[str, Any]) -> ModelAnswer:
        prompt = f"{request.system}\n\n{request.prompt}" if request.system else request.prompt
        given = (model.model, prompt, dict(context))
        try:
            if self._asynchronous:
                answered: Any = self._function(*given)
            else:
                answered = await in_thread(self._function, *given)
            text = await answered if inspect.isawaitable(answered) else answered
        except Exception as error:
            raise self._failure(error) from error
        if not isinstance(text, str):
            raise _unusable(f"the model function gave {type(text).__name__}, not a text")
        return ModelAnswer(text=text, usage=estimated_usage(prompt, text), finish=FinishReason.STOP)

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        if self._retry_on and not isinstance(error, self._retry_on):
            return _unusable(one_line(f"{type(error).__name__}: {error}"))
        known = provider_error(error, None)
        return ProviderError(known.failure.model_copy(update={"fate": Fate.UNBILLED}))


class VendorSource:
    """The vendors for which `settings` has access, and the simulated ones."""

    estimated = False

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load_settings()
        self._opened: dict[str, Provider] = {}
        self._models: tuple[ModelSpec, ...] = ()

    async def prepare(self) -> tuple[ModelSpec, ...] | None:
        self._models = await in_thread(load_catalog, self._settings)
        return self._models

    def models_of(self, step: LlmStep, *, capped: bool) -> tuple[ModelSpec, ...]:
        found = [find_model(name, self._models) for name in (step.model, *step.fallback)]
        usable = {model.id: model for model in found if model is not None and self._has_access(model)}
        if capped:
            return tuple(model for model in usable.values() if model.prices)
        return tuple(model.model_copy(update={"prices": model.prices or FREE}) for model in usable.values())

    async def ask(self, model: ModelSpec, request: ModelRequest, context: Mapping[str, Any]) -> ModelAnswer:
        return await self._provider(model.vendor).complete(request, lambda _: None)

    async def aclose(self) -> None:
        while self._opened:
            await self._opened.popitem()[1].aclose()

    def _has_access(self, model: ModelSpec) -> bool:
        return model.simulated or model.vendor in self._settings.vendors

    def _provider(self, vendor: str) -> Provider:
        if vendor not in self._opened:
            known = self._settings.vendors.get(vendor)
            self._opened[vendor] = open_provider(known) if known else open_simulated(vendor, self._settings.simulation)
        return self._opened[vendor]


@lru_cache(maxsize=1)
def _catalog() -> tuple[ModelSpec, ...]:
    return open_catalog(load_settings()).models


def _unusable(message: str) -> ProviderError:
    return ProviderError(CallFailure(kind=FailureKind.BAD_REQUEST, fate=Fate.UNBILLED, message=message))
