"""Failures: every status and every way a stream can break becomes one classified failure after one request."""

import asyncio
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.providers.base import FinishReason, ProviderError, Timeouts
from orchestrator.testing.vendor_script import Fault, Reply
from tests.conformance.harness import SHORT, Family, ask, family, full_port, opened_family

__all__ = ["family", "opened_family"]

STATUSES = {
    302: FailureKind.SERVER,
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.AUTH,
    402: FailureKind.BILLING,
    403: FailureKind.AUTH,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.SERVER,
    409: FailureKind.SERVER,
    413: FailureKind.CONTEXT_TOO_LONG,
    422: FailureKind.BAD_REQUEST,
    429: FailureKind.RATE_LIMIT,
    500: FailureKind.SERVER,
    503: FailureKind.SERVER,
    529: FailureKind.SERVER,
}

BROKEN = {
    Fault.RESET: FailureKind.CONNECTION,
    Fault.HANG: FailureKind.TIMEOUT,
    Fault.HTML: FailureKind.SERVER,
    Fault.EMPTY_CHOICES: FailureKind.CONNECTION,
    Fault.CUT: FailureKind.CONNECTION,
    Fault.RESET_IN_STREAM: FailureKind.CONNECTION,
    Fault.STALL: FailureKind.TIMEOUT,
    Fault.UNFINISHED: FailureKind.CONNECTION,
    Fault.MALFORMED: FailureKind.SERVER,
    Fault.ERROR_EVENT: FailureKind.SERVER,
}


@pytest.mark.parametrize("status", STATUSES)
def test_error_status(family: Family, status: int) -> None:
    family.script(Reply(status=status, error_type="some_error", headers={"location": family.server.url}))
    failure = family.failure()
    assert (failure.kind, failure.fate) == (STATUSES[status], Fate.UNBILLED)
    assert failure.status == status
    code = "" if family.vendor in ("xai", "yandex", "ollama") else " (some_error)"  # their errors have no code
    assert failure.message == f"{family.vendor}: HTTP {status}{code}"
    renewed = family.vendor == "gigachat" and status == 401
    assert len(family.server.requests) == (2 if renewed else 1)


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_answer(family: Family, fault: Fault) -> None:
    family.script(Reply(text="some text " * 9, chunks=9, fault=fault, fault_after=2))
    failure = family.failure(ask(timeouts=SHORT) if BROKEN[fault] is FailureKind.TIMEOUT else ask())
    assert (failure.kind, failure.fate) == (BROKEN[fault], Fate.UNCERTAIN)
    assert len(family.server.requests) == 1


def test_bytes_that_are_no_utf8_never_pass_as_an_answer(family: Family) -> None:
    family.script(Reply(text="some text " * 9, chunks=9, fault=Fault.INVALID_UTF8))
    assert family.failure().fate is Fate.UNCERTAIN


@pytest.mark.parametrize("word", ["weird", "tool_use", "CONTINUATION"])
def test_an_end_for_another_reason_is_no_answer_and_closes_the_connection(family: Family, word: str) -> None:
    family.script(Reply(text="half", finish_text=word, fault=Fault.LINGER))

    async def ended() -> FailureKind | FinishReason:
        try:
            answer = await asyncio.wait_for(family.provider.complete(ask(), lambda _: None), 15)
        except ProviderError as error:
            await asyncio.to_thread(family.server.wait_for, lambda s: s.requests[0].ended_s is not None)
            return error.failure.kind
        return answer.finish

    if family.vendor == "google" and word == "CONTINUATION":  # the output limit of one request
        family.script(Reply(text="half", finish_text=word))
        assert family.run(ended()) is FinishReason.LENGTH
    else:
        assert family.run(ended()) is FailureKind.SERVER
    assert len(family.server.requests) == 1


def test_a_connection_that_is_not_taken_costs_nothing(family: Family) -> None:
    limits = Timeouts(connect_s=0.3, first_byte_s=60, between_chunks_s=60)
    with full_port() as port:
        provider = family.opened_at(port)

        async def unheard() -> None:
            with pytest.raises(ProviderError) as caught:
                await asyncio.wait_for(provider.complete(ask(timeouts=limits), lambda _: None), 20)
            failure = caught.value.failure
            assert (failure.kind, failure.fate) == (FailureKind.TIMEOUT, Fate.UNBILLED)
            await provider.aclose()

        family.run(unheard())


def test_refused_connection_costs_nothing(family: Family) -> None:
    family.server.refuse()
    failure = family.failure()
    assert (failure.kind, failure.fate) == (FailureKind.CONNECTION, Fate.UNBILLED)
    family.server.accept()
    family.script(Reply(text="back"))
    assert family.ask().text == "back"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "100000"}, 600.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(family: Family, headers: dict[str, str], seconds: float | None) -> None:
    family.script(Reply(status=429, headers=headers))
    assert family.failure().retry_after_s == seconds


def test_retry_after_as_a_date_counts_from_the_vendors_clock(family: Family) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    date, until = (format_datetime(long_ago + timedelta(seconds=s), usegmt=True) for s in (0, 42))
    family.script(Reply(status=429, headers={"date": date, "retry-after": until}))
    assert family.failure().retry_after_s == 42.0


@pytest.mark.parametrize(
    ("opened_family", "reply", "kind"),
    [
        ("openai", Reply(status=400, error_code="context_length_exceeded"), FailureKind.CONTEXT_TOO_LONG),
        ("openai", Reply(status=429, error_code="insufficient_quota"), FailureKind.BILLING),
        ("deepseek", Reply(status=400, error_code="content_filter"), FailureKind.FILTERED),
        ("anthropic", Reply(status=400, error_type="billing_error"), FailureKind.BILLING),
        ("google", Reply(status=400, error_code="API_KEY_INVALID"), FailureKind.AUTH),
        ("kimi", Reply(status=429, error_type="exceeded_current_quota_error"), FailureKind.BILLING),
        ("zhipu", Reply(status=429, error_code="1113"), FailureKind.BILLING),
        ("zhipu", Reply(status=400, error_code="1261"), FailureKind.CONTEXT_TOO_LONG),
        ("minimax", Reply(status=400, error_code="1008"), FailureKind.BILLING),
        ("openrouter", Reply(status=403, flagged="rude words"), FailureKind.FILTERED),
        ("openrouter", Reply(status=403), FailureKind.AUTH),
    ],
    indirect=["opened_family"],
)
def test_the_vendors_code_says_more_than_the_status(family: Family, reply: Reply, kind: FailureKind) -> None:
    family.script(reply)
    assert family.failure().kind is kind


@pytest.mark.parametrize(
    ("opened_family", "reply", "kind"),
    [
        ("openai", Reply(error_code="rate_limit_exceeded"), FailureKind.RATE_LIMIT),
        ("anthropic", Reply(error_type="rate_limit_error"), FailureKind.RATE_LIMIT),
        ("anthropic", Reply(), FailureKind.SERVER),
        ("google", Reply(error_code="429"), FailureKind.RATE_LIMIT),
        ("openrouter", Reply(error_code="429"), FailureKind.RATE_LIMIT),
        ("openrouter", Reply(error_code="402"), FailureKind.BILLING),
        ("minimax", Reply(error_code="1002"), FailureKind.RATE_LIMIT),
        ("minimax", Reply(error_code="1008"), FailureKind.BILLING),
        ("minimax", Reply(error_code="1000"), FailureKind.SERVER),
        ("gigachat", Reply(error_code="429"), FailureKind.RATE_LIMIT),
        ("yandex", Reply(error_code="429"), FailureKind.RATE_LIMIT),
    ],
    indirect=["opened_family"],
)
def test_an_error_inside_of_a_stream_is_classified_by_its_code(family: Family, reply: Reply, kind: FailureKind) -> None:
    family.script(reply.model_copy(update={"text": "a b c", "chunks": 3, "fault": Fault.ERROR_EVENT}))
    failure = family.failure()
    assert (failure.kind, failure.fate) == (kind, Fate.UNCERTAIN)


def test_words_in_a_message_decide_nothing(family: Family) -> None:
    message = "took 4040 ms: 401 not found, context_length_exceeded, insufficient_quota"
    family.script(Reply(status=500, error_message=message))
    assert family.failure().kind is FailureKind.SERVER


def test_a_pause_within_the_limit_is_no_stall(family: Family) -> None:
    family.script(Reply(text="slow but alive", chunks=4, chunk_delay_ms=60))
    assert family.ask().text == "slow but alive"


def test_a_stall_is_noticed_by_the_limit_between_pieces(family: Family) -> None:
    family.script(Reply(text="a b c", chunks=3, fault=Fault.STALL))
    limits = Timeouts(connect_s=5, first_byte_s=60, between_chunks_s=0.2)
    asked = asyncio.wait_for(family.provider.complete(ask(timeouts=limits), lambda _: None), 20)
    with pytest.raises(ProviderError) as caught:
        family.run(asked)
    assert caught.value.failure.kind is FailureKind.TIMEOUT


def test_the_first_byte_has_a_limit_of_its_own(family: Family) -> None:
    family.script(Reply(text="late", latency_ms=60_000))
    limits = Timeouts(connect_s=0.2, first_byte_s=0.2, between_chunks_s=60)
    assert family.failure(ask(timeouts=limits)).kind is FailureKind.TIMEOUT


def test_cancelling_closes_the_connection(family: Family) -> None:
    family.script(Reply(text="never ends " * 50, chunks=50, chunk_delay_ms=50))

    async def cancelled() -> None:
        first = asyncio.Event()
        task = asyncio.create_task(family.provider.complete(ask(), lambda _: first.set()))
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(family.server.wait_for, lambda server: server.requests[0].disconnected)

    family.run(cancelled())
    assert not family.last.complete


def test_a_stalled_stream_is_closed(family: Family) -> None:
    family.script(Reply(text="a b", chunks=3, fault=Fault.STALL))

    async def stalled() -> None:
        with pytest.raises(ProviderError):
            await family.provider.complete(ask(timeouts=SHORT), lambda _: None)
        await asyncio.to_thread(family.server.wait_for, lambda server: server.requests[0].disconnected)

    family.run(stalled())


def test_the_key_is_nowhere(family: Family, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    replies = [Reply(text="ok")] + [Reply(text="x y", chunks=3, fault=fault) for fault in Fault]
    echo = Reply(error_code=family.key, error_type=family.key, error_message=f"bad key {family.key}")
    replies += [echo.model_copy(update={"status": status}) for status in (400, 401, 500)]
    for reply in replies:
        family.script(reply)
        try:
            family.ask(ask(timeouts=SHORT))
        except ProviderError as error:
            shown += [repr(error), str(error), repr(error.failure), *traceback.format_exception(error)]
    shown += [repr(family.provider), repr(vars(family.provider)), caplog.text]
    shown += [record.log_line("finished") + repr(record) for record in family.server.requests]
    assert shown
    secrets = [family.key] if family.key else []
    secrets += [f"token-{n}" for n in range(1, 9)] if family.vendor == "gigachat" else []
    assert not [text for text in shown for secret in secrets if secret in text]
    assert "Write a stack." not in caplog.text
