"""MockProvider behaves as its documentation says."""

import asyncio
import time

import pytest

from orchestrator.providers import (
    AuthenticationError,
    GenerationParams,
    InvalidRequestError,
    MockProvider,
    ProviderConfig,
    ProviderError,
    RateLimitError,
    TimeoutError,
)


def mock(model: str | None = None) -> MockProvider:
    return MockProvider(ProviderConfig(name="mock", model=model))


def streamed(provider: MockProvider, prompt: str) -> list[str]:
    async def read() -> list[str]:
        return [piece async for piece in provider.generate_stream(prompt)]

    return asyncio.run(read())


@pytest.mark.parametrize("model", [None, "mock-normal", "MOCK-NORMAL", "anything", "mock-unhealthy"])
def test_it_answers_after_a_tenth_of_a_second(model: str | None) -> None:
    began_s = time.monotonic()
    assert asyncio.run(mock(model).generate("What is Python?")) == "Mock response to: What is Python?"
    assert time.monotonic() - began_s >= 0.1


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("mock-timeout", TimeoutError, "Mock timeout simulation"),
        ("mock-ratelimit", RateLimitError, "Mock rate limit simulation"),
        ("Mock-Auth-Error", AuthenticationError, "Mock authentication failure"),
        ("mock-invalid-request", InvalidRequestError, "Mock invalid request"),
    ],
)
def test_modes_of_failure(model: str, error: type[ProviderError], text: str) -> None:
    with pytest.raises(error, match=f"^{text}$"):
        asyncio.run(mock(model).generate("x"))
    with pytest.raises(error):
        streamed(mock(model), "x")
    assert asyncio.run(mock(model).health_check())


@pytest.mark.parametrize(
    ("model", "healthy"), [(None, True), ("mock-normal", True), ("mock-unhealthy", False), ("My-UNHEALTHY-one", False)]
)
def test_health_is_in_the_name(model: str | None, healthy: bool) -> None:
    assert asyncio.run(mock(model).health_check()) is healthy


@pytest.mark.parametrize(("limit", "text"), [(4, "Mock"), (19, "Mock response to: x"), (500, "Mock response to: x")])
def test_the_limit_counts_characters(limit: int, text: str) -> None:
    assert asyncio.run(mock().generate("x", GenerationParams(max_tokens=limit))) == text


@pytest.mark.parametrize("prompt", ["a b", "", "  two  spaces\n\tand a line ", "one"])
def test_a_stream_is_the_whole_answer_word_by_word(prompt: str) -> None:
    pieces = streamed(mock(), prompt)
    assert "".join(pieces) == f"Mock response to: {prompt}"
    assert len(pieces) == 3 + len(prompt.split())


def test_it_says_what_it_is() -> None:
    assert mock("mock-normal").get_model_info() == {
        "name": "mock",
        "model": "mock-normal",
        "provider_type": "MockProvider",
    }
