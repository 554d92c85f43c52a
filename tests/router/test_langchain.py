"""A router as an LLM of LangChain, with the real langchain-core."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import PromptTemplate

from orchestrator import MultiLLMOrchestrator, Router
from orchestrator.providers import GenerationParams, MockProvider, ProviderConfig, ProviderError, RateLimitError
from tests.router.stand_ins import Clock, Told, router_over


def llm_over(*told: Told) -> MultiLLMOrchestrator:
    return MultiLLMOrchestrator(router=router_over(Clock(), told))


def mocks(number: int = 3) -> MultiLLMOrchestrator:
    router = Router()
    for index in range(number):
        router.add_provider(MockProvider(ProviderConfig(name=f"mock-{index}")))
    return MultiLLMOrchestrator(router=router)


def test_it_needs_a_router_with_a_provider() -> None:
    for router in (None, Router()):
        with pytest.raises(ValueError, match="router"):
            MultiLLMOrchestrator(router=router)  # type: ignore[arg-type]
    assert mocks()._llm_type == "multi-llm-orchestrator"


def test_invoke_again_and_again() -> None:
    llm = mocks()
    assert [llm.invoke("hi") for _ in range(3)] == ["Mock response to: hi"] * 3


def test_invoke_inside_of_a_running_loop() -> None:
    async def inside() -> str:
        return mocks().invoke("hi")

    assert asyncio.run(inside()) == "Mock response to: hi"


def test_ainvoke_in_one_loop_after_the_other() -> None:
    llm = mocks()
    assert [asyncio.run(llm.ainvoke("hi")) for _ in range(2)] == ["Mock response to: hi"] * 2


def test_stream_and_astream_give_the_pieces() -> None:
    llm = llm_over(Told("a", "one two three"))

    async def read() -> list[str]:
        return [piece async for piece in llm.astream("hi")]

    assert list(llm.stream("hi")) == ["one", "two", "three"]
    assert asyncio.run(read()) == ["one", "two", "three"]


def test_pieces_come_when_they_are_there() -> None:
    pieces = mocks().stream("a b c d e f g h")
    next(pieces)
    began_s = time.monotonic()
    rest = list(pieces)
    assert len(rest) == 10
    assert time.monotonic() - began_s > 0.3


def test_batches_run_at_the_same_time() -> None:
    llm = mocks()
    prompts = [f"prompt {number}" for number in range(10)]
    expected = [f"Mock response to: {prompt}" for prompt in prompts]
    began_s = time.monotonic()
    assert llm.batch([*prompts]) == expected
    assert asyncio.run(llm.abatch([*prompts])) == expected
    assert llm.generate(prompts).generations[9][0].text == expected[9]
    assert time.monotonic() - began_s < 3 * 0.1 * 5  # in sequence each of the three takes a second


def test_an_error_in_a_batch_takes_its_own_place_only() -> None:
    llm = llm_over(Told("a", "one", RateLimitError("busy"), "three", retries=0))
    got: list[object] = [*llm.batch(["1", "2", "3"], config={"max_concurrency": 1}, return_exceptions=True)]
    assert got[0] == "one"
    assert isinstance(got[1], RateLimitError)


def test_arguments_of_a_call_reach_the_provider() -> None:
    told = Told("a")
    llm = llm_over(told)
    llm.invoke("hi")
    llm.invoke("hi", stop=["END"], temperature=0.1, max_tokens=5, something_else=1)
    list(llm.bind(max_tokens=6).stream("hi"))
    assert [params for _, params in told.asked] == [
        None,
        GenerationParams(temperature=0.1, max_tokens=5, stop=["END"]),
        GenerationParams(max_tokens=6),
    ]


def test_errors_are_the_routers() -> None:
    error = RateLimitError("busy")
    for call in (
        lambda llm: llm.invoke("hi"),
        lambda llm: list(llm.stream("hi")),
        lambda llm: asyncio.run(llm.ainvoke("hi")),
        lambda llm: llm.batch(["hi"]),
    ):
        with pytest.raises(RateLimitError) as caught:
            call(llm_over(Told("a", error, retries=0)))
        assert caught.value is error


def test_a_stream_that_breaks_off_says_so_after_its_pieces() -> None:
    llm = llm_over(Told("a", "one two", breaks=ProviderError("cut")))
    pieces = llm.stream("hi")
    assert next(pieces) == "one"
    with pytest.raises(ProviderError, match="cut"):
        next(pieces)


class Endless(Told):
    """Says the same word until it is stopped."""

    stopped = threading.Event()

    async def generate_stream(self, prompt: str, params: GenerationParams | None = None) -> AsyncIterator[str]:
        try:
            while True:
                yield "word"
                await asyncio.sleep(0)
        finally:
            self.stopped.set()


def test_a_reader_that_goes_away_ends_the_request() -> None:
    told = Endless("a")
    pieces = llm_over(told).stream("hi")
    assert next(pieces) == "word"
    assert not told.stopped.is_set()
    pieces.close()  # type: ignore[attr-defined]
    assert told.stopped.wait(10)


def test_it_is_a_part_of_chains_and_calls_back() -> None:
    class Noted(BaseCallbackHandler):
        def __init__(self) -> None:
            self.tokens: list[object] = []

        def on_llm_new_token(self, token: object, **_: Any) -> None:
            self.tokens.append(token)

    noted = Noted()
    chain = PromptTemplate.from_template("Tell me about {topic}") | llm_over(Told("a", "one two")) | StrOutputParser()
    assert list(chain.stream({"topic": "bees"}, config={"callbacks": [noted]})) == ["one", "two"]
    assert noted.tokens == ["one", "two"]


def test_without_langchain_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "langchain_core"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "orchestrator.langchain", raising=False)
    import orchestrator

    with pytest.raises(ImportError, match=r"pip install 'orch\[langchain\]'"):
        orchestrator.__getattr__("MultiLLMOrchestrator")
