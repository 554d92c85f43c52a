"""What of a payload reaches Temporal: compressed where large, sealed where there are keys, kept outside where huge."""

import asyncio
import base64
import random
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from orchestrator.artifacts.errors import ArtifactError, MissingKeyError
from orchestrator.client.codec import COMPRESS_FROM_BYTES
from orchestrator.client.plugin import STORE_FROM_BYTES, data_converter
from orchestrator.settings import load_settings

A, B = (f"{name}:{base64.b64encode(name.encode() * 32).decode()}" for name in "ab")
WORD = "zugzwang"
SMALL, LARGE = f"a {WORD}", f"a {WORD} " * COMPRESS_FROM_BYTES
HUGE = WORD + random.Random(0).randbytes(STORE_FROM_BYTES).hex()


def converter(folder: Path, keys: str) -> DataConverter:
    return data_converter(
        load_settings({"ORCH_ENCRYPTION_KEYS": keys, "ORCH_ARTIFACTS_URL": (folder / "store").as_uri()})
    )


def encoded(using: DataConverter, value: object) -> Payload:
    (payload,) = asyncio.run(using.encode([value]))
    return payload


def decoded(using: DataConverter, payload: Payload) -> str:
    (value,) = asyncio.run(using.decode([payload], [str]))
    assert isinstance(value, str)
    return value


@pytest.mark.parametrize("value", [SMALL, LARGE, HUGE], ids=["small", "large", "huge"])
def test_no_payload_can_be_read(tmp_path: Path, value: str) -> None:
    using = converter(tmp_path, A)
    payload = encoded(using, value)
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(WORD.encode() in content for content in (payload.SerializeToString(), *stored))
    assert decoded(using, payload) == value
    assert len(stored) == (1 if value is HUGE else 0)
    assert payload.ByteSize() < COMPRESS_FROM_BYTES, "what is sealed can no longer be compressed"


def test_without_keys_a_small_payload_stays_readable(tmp_path: Path) -> None:
    payload = encoded(converter(tmp_path, ""), SMALL)
    assert payload.metadata["encoding"] == b"json/plain"
    assert decoded(converter(tmp_path, A), payload) == SMALL, "a run from before keys came goes on"


def test_failures_are_sealed_with_their_messages_and_traces(tmp_path: Path) -> None:
    def told(using: DataConverter) -> tuple[Failure, BaseException]:
        failure = Failure()
        try:
            raise ApplicationError(f"{WORD} failed", {WORD: 1}, type="Sad")
        except ApplicationError as error:
            asyncio.run(using.encode_failure(error, failure))
        kept = failure.SerializeToString()
        return Failure.FromString(kept), asyncio.run(using.decode_failure(failure))

    plain, _ = told(converter(tmp_path, ""))
    assert WORD.encode() in plain.SerializeToString()
    sealed, error = told(converter(tmp_path, A))
    assert WORD.encode() not in sealed.SerializeToString()
    assert (sealed.message, sealed.stack_trace) == ("Encoded failure", "")
    assert isinstance(error, ApplicationError)
    assert (error.message, error.type) == (f"{WORD} failed", "Sad")


def test_keys_rotate(tmp_path: Path) -> None:
    old = encoded(converter(tmp_path, A), SMALL)
    both = converter(tmp_path, f"{B},{A}")
    new = encoded(both, SMALL)
    assert decoded(both, old) == decoded(both, new) == decoded(converter(tmp_path, B), new) == SMALL
    with pytest.raises(MissingKeyError, match="key 'a'; ORCH_ENCRYPTION_KEYS holds only b"):
        decoded(converter(tmp_path, B), old)
    with pytest.raises(MissingKeyError, match="key 'b'; ORCH_ENCRYPTION_KEYS is not set"):
        decoded(converter(tmp_path, ""), new)


@pytest.mark.parametrize("data", [b"?", b"", b"\xfforch\x01\x01a"], ids=["of somebody else", "empty", "cut"])
def test_what_is_not_ours_is_told_in_one_line(tmp_path: Path, data: bytes) -> None:
    payload = Payload(metadata={"encoding": b"binary/encrypted"}, data=data)
    with pytest.raises(ArtifactError, match=r"^(a payload is encrypted, but not by us|payload was altered)$"):
        decoded(converter(tmp_path, A), payload)


def test_an_altered_payload_is_not_believed(tmp_path: Path) -> None:
    using = converter(tmp_path, A)
    payload = encoded(using, SMALL)
    payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
    with pytest.raises(ArtifactError, match=r"^payload was altered$"):
        decoded(using, payload)
