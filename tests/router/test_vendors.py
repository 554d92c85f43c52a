"""The router over the vendors' real clients, which speak HTTP to the fake vendor server."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Iterator
from contextlib import aclosing

import pytest
from pydantic import SecretStr

import orchestrator.providers
from orchestrator import MultiLLMOrchestrator
from orchestrator.domain.money import Usage
from orchestrator.providers import (
    AllProvidersFailedError,
    AuthenticationError,
    GenerationParams,
    GigaChatProvider,
    InvalidRequestError,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    ProviderConfig,
    ProviderError,
    RateLimitError,
    TimeoutError,
    YandexGPTProvider,
)
from orchestrator.providers.base import FinishReason
from orchestrator.providers.vendors import VendorProvider
from orchestrator.router import Router
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_script import Fault, Reply, VendorRequest, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.router.stand_ins import Clock

CLASSES: dict[str, type[VendorProvider]] = {
    found.vendor: found
    for name in orchestrator.providers.__all__
    if isinstance(found := getattr(orchestrator.providers, name), type)
    and issubclass(found, VendorProvider)
    and found.vendor
}

STATUS_ERRORS = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: ProviderError,
    403: AuthenticationError,
    404: InvalidRequestError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
    500: ProviderError,
    503: ProviderError,
}


@pytest.fixture(scope="module")
def running() -> Iterator[FakeVendorServer]:
    with FakeVendorServer() as server:
        yield server


@pytest.fixture
def server(running: FakeVendorServer, monkeypatch: pytest.MonkeyPatch) -> FakeVendorServer:
    """The server, without memory, and an environment in which every vendor is there and has a key."""
    running.forget()
    running.script = from_rules([], Reply(text="an answer", usage=Usage(input_tokens=1000, output_tokens=500)))
    for name, value in running.environment(VENDORS).items():
        monkeypatch.setenv(name, value)
    return running


def provider(vendor: str, **fields: object) -> VendorProvider:
    given = {"name": vendor, "model": "some-model", **fields}
    return CLASSES[vendor](ProviderConfig.model_validate(given))


def router_over(*providers: VendorProvider, strategy: str = "round-robin") -> Router:
    clock = Clock()
    router = Router(strategy, clock=clock, sleep=clock.sleep)
    for each in providers:
        router.add_provider(each)
    return router


async def routed(router: Router, params: GenerationParams | None = None) -> str:
    async with router:
        return await router.route("What is Python?", params)


def failure_of(*providers: VendorProvider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asyncio.run(routed(router_over(*providers)))
    return caught.value


def test_every_vendor_has_a_class() -> None:
    assert CLASSES.keys() == VENDORS.keys()


@pytest.mark.parametrize("vendor", CLASSES)
def test_each_vendor_answers_streams_and_is_healthy(server: FakeVendorServer, vendor: str) -> None:
    server.script = from_rules([], Reply(text="one two three", chunks=3))
    router = router_over(provider(vendor), strategy="first-available")

    async def used() -> tuple[bool, str, str]:
        async with router:
            healthy = await router.providers[0].health_check()
            pieces = [piece async for piece in router.route_stream("What is Python?")]
            return healthy, await router.route("What is Python?"), "".join(pieces)

    assert asyncio.run(used()) == (True, "one two three", "one two three")
    metrics = router.get_metrics()[vendor]
    assert metrics.successful_requests == 2
    assert metrics.total_prompt_tokens > 0
    request = server.requests[0].request
    assert (request.vendor, request.model, request.prompt) == (vendor, "some-model", "What is Python?")
    assert request.system == ""
    assert len(server.requests) == 2, "a health check asks no model"


def test_parameters_are_on_the_wire(server: FakeVendorServer) -> None:
    params = GenerationParams(temperature=0.2, max_tokens=77, top_p=0.5, stop=["END"])
    assert asyncio.run(routed(router_over(provider("deepseek")), params)) == "an answer"
    body = server.requests[0].request.body
    assert (body["temperature"], body["max_tokens"], body["top_p"], body["stop"]) == (0.2, 77, 0.5, ["END"])


def test_without_parameters_the_vendors_own_hold(server: FakeVendorServer) -> None:
    asyncio.run(routed(router_over(provider("deepseek"))))
    assert not {"temperature", "top_p", "stop"} & server.requests[0].request.body.keys()


def test_cost_is_that_of_the_reported_usage_at_the_catalogs_price(server: FakeVendorServer) -> None:
    router = router_over(provider("openai", model="gpt-6-luna"), provider("ollama"), provider("mistral"))

    async def three() -> None:
        async with router:
            for _ in range(3):
                await router.route("x")

    asyncio.run(three())
    metrics = router.get_metrics()
    assert [each.total_tokens for each in metrics.values()] == [1500] * 3
    assert metrics["openai"].total_cost_micro > 0
    assert metrics["ollama"].total_cost_micro == metrics["mistral"].total_cost_micro == 0


@pytest.mark.parametrize("vendor", CLASSES)
def test_errors_have_their_class_streaming_or_not(server: FakeVendorServer, vendor: str) -> None:
    async def raised(asked: Awaitable[object]) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            await asked
        return caught.value

    async def streamed(used: VendorProvider) -> list[str]:
        return [piece async for piece in used.generate_stream("x")]

    async def every_status() -> None:
        used = provider(vendor)
        for status, expected in STATUS_ERRORS.items():
            server.script = from_rules([], Reply(status=status))
            for error in (await raised(used.generate("x")), await raised(streamed(used))):
                assert type(error) is expected
                assert error.failure.status == status
        await used.aclose()

    asyncio.run(every_status())


def test_one_bad_request_reaches_one_vendor(server: FakeVendorServer) -> None:
    server.script = from_rules([], Reply(status=422))
    assert type(failure_of(provider("openai"), provider("deepseek"))) is InvalidRequestError
    assert len(server.requests) == 1


def test_a_vendor_that_is_unplugged_is_replaced(server: FakeVendorServer) -> None:
    def script(request: VendorRequest) -> Reply:
        return Reply(fault=Fault.RESET) if request.vendor == "openai" else Reply(text=request.vendor)

    server.script = script
    router = router_over(provider("openai"), provider("deepseek"), provider("anthropic"))

    async def some() -> list[str]:
        async with router:
            return [await router.route("x") for _ in range(6)]

    assert set(asyncio.run(some())) == {"deepseek", "anthropic"}


@pytest.mark.parametrize(
    "fault", [Fault.CUT, Fault.RESET_IN_STREAM, Fault.UNFINISHED, Fault.MALFORMED, Fault.ERROR_EVENT]
)
def test_a_stream_that_breaks_off_is_an_error_and_never_two_answers(server: FakeVendorServer, fault: Fault) -> None:
    def script(request: VendorRequest) -> Reply:
        if request.vendor == "openai":
            return Reply(text="one two three", chunks=3, fault=fault)
        return Reply(text="other")

    server.script = script
    router = router_over(provider("openai"), provider("deepseek"))
    got: list[str] = []

    async def read() -> None:
        async with router:
            async for piece in router.route_stream("x"):
                got.append(piece)

    with pytest.raises(ProviderError):
        asyncio.run(read())
    assert got
    assert "one two three".startswith("".join(got))
    assert [record.request.vendor for record in server.requests] == ["openai"]


def test_a_stream_that_breaks_before_the_first_piece_is_taken_over(server: FakeVendorServer) -> None:
    def script(request: VendorRequest) -> Reply:
        fault = Fault.CUT if request.vendor == "openai" else Fault.NONE
        return Reply(text=request.vendor, fault=fault, fault_after=0)

    server.script = script
    router = router_over(provider("openai"), provider("deepseek"))

    async def read() -> str:
        async with router:
            return "".join([piece async for piece in router.route_stream("x")])

    assert asyncio.run(read()) == "deepseek"


def test_a_reader_that_goes_away_closes_the_connection(server: FakeVendorServer) -> None:
    server.script = from_rules([], Reply(text="never ends " * 50, chunks=50, chunk_delay_ms=50))
    router = router_over(provider("openai"))

    async def read_one() -> None:
        async with router:
            async with aclosing(router.route_stream("x")) as pieces:
                await anext(pieces)
            await asyncio.to_thread(server.wait_for, lambda vendors: vendors.requests[0].disconnected)

    asyncio.run(read_one())


def test_the_timeout_of_the_configuration_holds(server: FakeVendorServer) -> None:
    server.script = from_rules([], Reply(text="late", latency_ms=60_000))
    assert type(failure_of(provider("openai", timeout=1, max_retries=0))) is TimeoutError


@pytest.mark.parametrize("finish", [FinishReason.REFUSAL, FinishReason.FILTER])
def test_a_refusal_is_no_answer_and_another_vendor_is_asked(server: FakeVendorServer, finish: FinishReason) -> None:
    def script(request: VendorRequest) -> Reply:
        return Reply(text="I cannot", finish=finish) if request.vendor == "anthropic" else Reply(text="ok")

    server.script = script
    router = router_over(provider("anthropic", model="claude-haiku-5-5"), provider("openai"))
    assert asyncio.run(routed(router)) == "ok"
    refused = router.get_metrics()["anthropic"]
    assert (refused.successful_requests, refused.failed_requests) == (0, 1)
    assert refused.total_tokens > 0
    assert refused.total_cost_micro > 0, "a refusal is billed, too"


def test_an_answer_that_its_limit_cut_is_the_answer_and_an_empty_one_is_none(server: FakeVendorServer) -> None:
    server.script = from_rules([], Reply(text="cut off", finish=FinishReason.LENGTH))
    assert asyncio.run(routed(router_over(provider("openai")))) == "cut off"
    server.script = from_rules([], Reply(text="", hidden="thinking", finish=FinishReason.LENGTH))
    assert str(failure_of(provider("openai"))) == "openai: the answer was cut off by the output limit"


def test_every_cause_of_several_vendors_is_told(server: FakeVendorServer) -> None:
    server.script = lambda request: Reply(status=401 if request.vendor == "openai" else 500)
    error = failure_of(provider("openai"), provider("deepseek", max_retries=0))
    assert isinstance(error, AllProvidersFailedError)
    assert {name: type(cause) for name, cause in error.causes.items()} == {
        "openai": AuthenticationError,
        "deepseek": ProviderError,
    }


def test_health_says_no_without_a_server(server: FakeVendorServer) -> None:
    gone = provider("openai", base_url="http://127.0.0.1:9/v1")

    async def checked() -> bool:
        try:
            return await gone.health_check()
        finally:
            await gone.aclose()

    assert not asyncio.run(checked())


def credentials_of(later: tuple[str, ...] = (), **fields: object) -> list[str]:
    """The header that requests to Yandex carry: one with the first key, one with each of the later keys."""
    seen: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.extend(re.findall(r"^authorization: (.*)\r$", head, flags=re.MULTILINE | re.IGNORECASE))
        writer.write(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def served() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            used = provider("yandex", base_url=f"http://127.0.0.1:{port}", **fields)
            for key in (used.config.api_key, *map(SecretStr, later)):
                used.config.api_key = key
                with pytest.raises(AuthenticationError):
                    await used.generate("x")
            await used.aclose()

    asyncio.run(served())
    return seen


def test_a_new_token_takes_effect_with_the_next_request(server: FakeVendorServer) -> None:
    assert credentials_of(api_key="first-token-0123456789", later=("second-token-0123456789",)) == [
        "Bearer first-token-0123456789",
        "Bearer second-token-0123456789",
    ]


def test_a_key_of_the_environment_says_what_it_is(server: FakeVendorServer) -> None:
    assert credentials_of() == ["Api-Key test-key-of-yandex-0123456789"]


def test_the_scope_of_the_configuration_is_asked_for(server: FakeVendorServer) -> None:
    asyncio.run(routed(router_over(provider("gigachat", scope="GIGACHAT_API_CORP"))))
    asyncio.run(routed(router_over(provider("gigachat"))))
    assert [request.scope for request in server.desk.token_requests] == ["GIGACHAT_API_CORP", "GIGACHAT_API_PERS"]


def test_one_provider_serves_one_event_loop_after_the_other(server: FakeVendorServer) -> None:
    used = provider("openai")

    async def one() -> str:
        try:
            return await used.generate("x")
        finally:
            await used.aclose()

    assert [asyncio.run(one()) for _ in range(3)] == ["an answer"] * 3


def test_the_key_command_is_asked_for_the_key_of_the_provider(
    server: FakeVendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("ORCH_KEY_COMMAND", "echo")
    monkeypatch.setenv("ORCH_KEY_VENDORS", "deepseek")
    assert asyncio.run(routed(router_over(provider("openai")))) == "an answer"
    monkeypatch.setenv("ORCH_KEY_COMMAND", "false")
    with pytest.raises(ValueError, match=r"^api_key is required for OpenAIProvider"):
        provider("openai")


@pytest.mark.parametrize("vendor", [vendor for vendor in CLASSES if VENDORS[vendor].key_names])
def test_a_missing_key_is_named(vendor: str) -> None:
    with pytest.raises(ValueError, match=f"^api_key is required for {CLASSES[vendor].__name__}: no key: set "):
        provider(vendor)


def test_other_things_that_are_missing_are_named() -> None:
    with pytest.raises(ValueError, match=r"^folder_id is required for YandexGPTProvider"):
        YandexGPTProvider(ProviderConfig(name="y", api_key=SecretStr("token")))
    with pytest.raises(ValueError, match=r"^model is required for OllamaProvider$"):
        OllamaProvider(ProviderConfig(name="o"))
    with pytest.raises(ValueError, match=r"^base_url is required for OpenAICompatibleProvider$"):
        OpenAICompatibleProvider(ProviderConfig(name="x", model="m"))


def test_options_of_the_environment_hold(server: FakeVendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_NUM_CTX", "4321")
    asyncio.run(routed(router_over(provider("ollama"))))
    assert "4321" in str(server.requests[0].request.body["options"])


def test_one_revoked_token_is_renewed_once_for_all_requests(server: FakeVendorServer) -> None:
    router = router_over(provider("gigachat"))

    async def used() -> None:
        async with router:
            await router.route("x")
            server.desk.revoke()
            await asyncio.gather(*(router.route("x") for _ in range(20)))

    asyncio.run(used())
    assert len(server.desk.token_requests) == 2
    assert router.get_metrics()["gigachat"].successful_requests == 21


def test_connections_serve_langchain_call_after_call(server: FakeVendorServer) -> None:
    llm = MultiLLMOrchestrator(router=router_over(provider("openai"), provider("gigachat")))
    assert [llm.invoke("x") for _ in range(4)] == ["an answer"] * 4
    assert "".join(llm.stream("x")) == "an answer"

    async def inside() -> list[str]:
        async with llm.router:
            return [llm.invoke("x"), await llm.ainvoke("x"), *await llm.abatch(["x", "y"])]

    assert asyncio.run(inside()) == ["an answer"] * 4
    llm.close()


def test_defaults_of_vendors(server: FakeVendorServer) -> None:
    asyncio.run(routed(router_over(GigaChatProvider(ProviderConfig(name="g")))))
    asyncio.run(routed(router_over(YandexGPTProvider(ProviderConfig(name="y")))))
    assert [record.request.model for record in server.requests] == ["GigaChat", "yandexgpt/latest"]


def test_a_whole_address_of_a_model_has_its_price(server: FakeVendorServer) -> None:
    prices = []
    for model in ("yandexgpt-lite/latest", "gpt://some-folder/yandexgpt-lite/latest"):
        router = router_over(provider("yandex", model=model))
        asyncio.run(routed(router))
        prices.append(router.get_metrics()["yandex"].total_cost_micro)
    assert prices[0] == prices[1] > 0


def test_any_endpoint_that_speaks_chat_completions(server: FakeVendorServer) -> None:
    config = ProviderConfig(name="mine", model="m", base_url=server.base_url("openai"), api_key=SecretStr("mine-0123"))
    router = router_over(OpenAICompatibleProvider(config))
    assert asyncio.run(routed(router)) == "an answer"
    assert router.get_metrics()["mine"].total_tokens == 1500


def test_the_key_is_nowhere(server: FakeVendorServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = "a-key-that-nobody-sees-0123456789"
    server.script = from_rules([], Reply(status=401, error_message=f"bad key {key}", error_code=key))
    used = OpenAIProvider(ProviderConfig(name="o", model="m", api_key=SecretStr(key)))
    router = router_over(used)
    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(routed(router))
    shown = [
        repr(caught.value),
        str(caught.value),
        repr(caught.value.failure),
        caplog.text,
        repr(used),
        repr(vars(used)),
    ]
    assert not [text for text in shown if key in text]
