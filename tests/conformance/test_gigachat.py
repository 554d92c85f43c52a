"""GigaChat's own: the token before each request."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.providers.base import ModelAnswer, ProviderError
from orchestrator.settings import load_settings
from orchestrator.testing.vendor_script import Reply, VendorRequest
from orchestrator.testing.vendor_server import FakeVendorServer, environment
from tests.conformance.harness import Family, ask

AT_ONCE = 20


@pytest.fixture
def gigachat(tmp_path: Path) -> Iterator[Family]:
    """A client that has no token yet."""
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        opened = Family("gigachat", server, runner, tmp_path)
        yield opened
        opened.run(opened.provider.aclose())


def answers(family: Family, count: int = AT_ONCE) -> list[ModelAnswer | BaseException]:
    """Requests at once: what became of each."""

    async def together() -> list[ModelAnswer | BaseException]:
        asked = (family.provider.complete(ask(f"p{n}"), lambda _: None) for n in range(count))
        return await asyncio.gather(*asked, return_exceptions=True)

    return family.run(together())


def test_a_cold_start_fetches_one_token(gigachat: Family) -> None:
    assert {type(answer) for answer in answers(gigachat)} == {ModelAnswer}
    (request,) = gigachat.server.desk.token_requests
    assert (request.scheme, request.scope) == ("Basic", "GIGACHAT_API_PERS")
    assert len(gigachat.server.requests) == AT_ONCE


@pytest.mark.parametrize("spread_ms", [0, 40])
def test_a_revoked_token_is_renewed_once_for_all(gigachat: Family, spread_ms: int) -> None:
    gigachat.ask()
    gigachat.server.desk.revoke()
    gigachat.server.forget()

    async def together() -> list[ModelAnswer]:
        async def one(n: int) -> ModelAnswer:
            await asyncio.sleep(n * spread_ms / AT_ONCE / 1000)  # late ones meet the new token
            return await gigachat.provider.complete(ask(f"p{n}"), lambda _: None)

        return await asyncio.gather(*(one(n) for n in range(AT_ONCE)))

    assert [answer.text for answer in gigachat.run(together())] == ["ok"] * AT_ONCE
    assert len(gigachat.server.desk.token_requests) == 1
    refused = [record for record in gigachat.server.requests if record.status == 401]
    assert 1 <= len(refused) <= AT_ONCE
    assert len(gigachat.server.requests) == AT_ONCE + len(refused)


def test_a_late_refusal_of_the_old_token_keeps_the_new_one(gigachat: Family) -> None:
    """A 401 that was long under way arrives when others have renewed the token already."""

    def slow_refusal(request: VendorRequest) -> Reply:
        if request.prompt == "slow" and request.n == 2:
            return Reply(status=401, latency_ms=300)
        return Reply(text="ok")

    gigachat.ask()
    gigachat.script(slow_refusal)

    async def overtaken() -> ModelAnswer:
        slow = asyncio.create_task(gigachat.provider.complete(ask("slow"), lambda _: None))
        await asyncio.to_thread(gigachat.server.wait_for, lambda server: len(server.requests) == 2)
        gigachat.server.desk.revoke()
        await gigachat.provider.complete(ask("quick"), lambda _: None)
        return await slow

    assert gigachat.run(overtaken()).text == "ok"
    assert len(gigachat.server.desk.token_requests) == 2


def test_a_second_refusal_is_a_failure_of_the_key(gigachat: Family) -> None:
    gigachat.script(Reply(status=401))
    failure = gigachat.failure()
    assert (failure.kind, failure.fate, failure.status) == (FailureKind.AUTH, Fate.UNBILLED, 401)
    assert len(gigachat.server.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(401, FailureKind.AUTH), (429, FailureKind.RATE_LIMIT), (500, FailureKind.SERVER)]
)
def test_without_a_token_nothing_is_sent(gigachat: Family, status: int, kind: FailureKind) -> None:
    gigachat.server.desk.status = status
    outcomes = answers(gigachat)
    assert {type(outcome) for outcome in outcomes} == {ProviderError}
    failures = {(o.failure.kind, o.failure.fate, o.failure.status) for o in outcomes if isinstance(o, ProviderError)}
    assert failures == {(kind, Fate.UNBILLED, status)}
    assert len(gigachat.server.desk.token_requests) == 1
    assert gigachat.server.requests == []
    gigachat.server.desk.status = 200
    assert gigachat.ask().text == "ok"


def test_who_gives_up_takes_the_token_from_nobody(gigachat: Family) -> None:
    async def one_gives_up() -> ModelAnswer:
        first = asyncio.create_task(gigachat.provider.complete(ask("first"), lambda _: None))
        await asyncio.sleep(0)
        second = asyncio.create_task(gigachat.provider.complete(ask("second"), lambda _: None))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert gigachat.run(one_gives_up()).text == "ok"
    assert len(gigachat.server.desk.token_requests) == 1


@pytest.mark.parametrize(("life_s", "renewals"), [(1800.0, 1), (70.0, 1), (30.0, 1), (-5.0, 3)])
def test_a_token_is_renewed_in_time_and_not_more_often(gigachat: Family, life_s: float, renewals: int) -> None:
    gigachat.server.desk.token_life_s = life_s
    for _ in range(3):
        gigachat.ask()
    assert len(gigachat.server.desk.token_requests) == renewals


@pytest.mark.parametrize("ahead_s", [-7200.0, 7200.0])
def test_the_vendors_clock_need_not_agree_with_ours(gigachat: Family, ahead_s: float) -> None:
    gigachat.server.desk.clock_offset_s = ahead_s
    for _ in range(3):
        gigachat.ask()
    assert len(gigachat.server.desk.token_requests) == 1
    gigachat.server.desk.token_life_s = -5.0
    gigachat.server.desk.revoke()
    for _ in range(3):
        gigachat.ask()
    assert len(gigachat.server.desk.token_requests) == 4


def test_the_token_of_a_gateway(gigachat: Family) -> None:
    gigachat.server.desk.gateway = True
    assert [gigachat.ask().text, gigachat.ask().text] == ["ok", "ok"]
    assert len(gigachat.server.desk.token_requests) == 1


def test_scheme_scope_and_request_ids(tmp_path: Path) -> None:
    with FakeVendorServer() as server, asyncio.Runner() as runner:
        own = {"GIGACHAT_SCOPE": "GIGACHAT_API_CORP", "GIGACHAT_AUTH_SCHEME": "Bearer"}
        settings = load_settings({**environment(server.port, ["gigachat"]), **own}, folder=tmp_path)
        family = Family("gigachat", server, runner, tmp_path)
        family.provider = type(family.provider)(settings.vendors["gigachat"])
        family.ask()
        family.ask()
        (request,) = server.desk.token_requests
        assert (request.scheme, request.scope) == ("Bearer", "GIGACHAT_API_CORP")
        ids = [request.request_id, *(record.request.headers["rquid"] for record in server.requests)]
        assert len({*ids}) == 3
        assert {len(one) for one in ids} == {36}
        family.run(family.provider.aclose())
