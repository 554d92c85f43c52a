"""A `Router` as a LangChain LLM. Needs the extra `langchain`."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from functools import cache
from typing import Any, TypeVar

from pydantic import ConfigDict, field_validator

from orchestrator.providers.generation import GenerationParams
from orchestrator.router import Router

try:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.llms import BaseLLM
    from langchain_core.outputs import Generation, GenerationChunk, LLMResult
    from langchain_core.runnables import Runnable, RunnableConfig
except ImportError as error:
    raise ImportError("LangChain is not installed; install it with: pip install 'orch[langchain]'") from error

Result = TypeVar("Result")
Configs = RunnableConfig | list[RunnableConfig] | None


class MultiLLMOrchestrator(BaseLLM):
    """LangChain's interface of `router`, which must have a provider.

    `temperature`, `max_tokens`, `top_p` and `stop` of a call go to the provider, other arguments do not. Errors are
    those of the router. Synchronous calls work inside of a running event loop, too: they run in a loop of their own.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    router: Router

    @field_validator("router")
    @classmethod
    def _has_providers(cls, router: Router) -> Router:
        if not router.providers:
            raise ValueError("the router has no providers: add one first")
        return router

    @property
    def _llm_type(self) -> str:
        return "multi-llm-orchestrator"

    def close(self) -> None:
        """Close the connections that synchronous calls have opened; `router.aclose()` closes those of a loop."""
        _submit(self.router.aclose()).result()

    # LangChain's own `batch` of an LLM gives up all answers for one error.
    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """The answers to `inputs`, asked at the same time; with `return_exceptions` each error in its own place."""
        return Runnable.batch(self, inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """See `batch`."""
        return await Runnable.abatch(self, inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        return _submit(self._agenerate(prompts, stop, None, **kwargs)).result()

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        params = _params(stop, kwargs)
        texts = await asyncio.gather(*(self.router.route(prompt, params) for prompt in prompts))
        return LLMResult(generations=[[Generation(text=text)] for text in texts])

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        asked = _submit(self._pump(prompt, _params(stop, kwargs), pieces))
        try:
            while (piece := pieces.get()) is not None:
                if run_manager is not None:
                    run_manager.on_llm_new_token(piece)
                yield GenerationChunk(text=piece)
            asked.result()
        finally:
            asked.cancel()

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        async with aclosing(self.router.route_stream(prompt, _params(stop, kwargs))) as pieces:
            async for piece in pieces:
                if run_manager is not None:
                    await run_manager.on_llm_new_token(piece)
                yield GenerationChunk(text=piece)

    async def _pump(
        self, prompt: str, params: GenerationParams | None, pieces: "queue.SimpleQueue[str | None]"
    ) -> None:
        try:
            async with aclosing(self.router.route_stream(prompt, params)) as stream:
                async for piece in stream:
                    pieces.put(piece)
        finally:
            pieces.put(None)


def _params(stop: list[str] | None, arguments: dict[str, Any]) -> GenerationParams | None:
    given = {
        name: arguments[name] for name in ("temperature", "max_tokens", "top_p") if arguments.get(name) is not None
    }
    if stop:
        given["stop"] = stop
    return GenerationParams(**given) if given else None


def _submit(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    return asyncio.run_coroutine_threadsafe(work, _loop())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop of synchronous calls: one for all of them, so that connections are kept from call to call."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="orchestrator-langchain", daemon=True).start()
    return loop
