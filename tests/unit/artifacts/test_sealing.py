"""Sealing: nothing is readable without the key, keys rotate, and what was altered or moved is noticed."""

import asyncio
import base64
from pathlib import Path

import pytest

from orchestrator.artifacts.errors import ArtifactError, MissingKeyError
from orchestrator.artifacts.journal import Fresh, Journal, Unknown
from orchestrator.artifacts.sealing import Sealer, is_sealed
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKey
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.tasks import Stage
from orchestrator.settings import load_settings
from orchestrator.settings.encryption import EncryptionKeys, parse_encryption_keys

A, B = (f"{name}:{base64.b64encode(name.encode() * 32).decode()}" for name in "ab")
TEXT = b"a text that nobody may read"


def keys(*given: str) -> EncryptionKeys:
    return parse_encryption_keys(",".join(given))


def objects(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sealed_value_tells_nothing_and_is_never_the_same() -> None:
    sealer = Sealer(keys(A))
    sealed = {sealer.seal(TEXT, "x") for _ in range(3)}
    assert len(sealed) == 3
    assert all(is_sealed(value) and TEXT[:8] not in value for value in sealed)
    assert {sealer.unseal(value, "x") for value in sealed} == {TEXT}


def test_without_keys_nothing_is_sealed() -> None:
    assert Sealer(EncryptionKeys()).seal(TEXT, "x") == TEXT
    assert Sealer(keys(A)).unseal(TEXT, "x") == TEXT, "what was written before keys came is read"


def test_every_altered_byte_is_noticed() -> None:
    sealer = Sealer(keys(A))
    sealed = sealer.seal(TEXT, "x")
    for at in range(6, len(sealed)):  # without the magic it is no sealed value at all
        altered = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises((ArtifactError, MissingKeyError)):
            sealer.unseal(altered, "x")
        with pytest.raises((ArtifactError, MissingKeyError)):
            sealer.unseal(sealed[:at], "x")


def test_a_value_is_good_for_its_place_only() -> None:
    sealer = Sealer(keys(A))
    with pytest.raises(ArtifactError, match="y was altered"):
        sealer.unseal(sealer.seal(TEXT, "x"), "y")


def test_another_key_of_the_same_name_is_no_key() -> None:
    other = f"a:{base64.b64encode(b'x' * 32).decode()}"
    with pytest.raises(MissingKeyError, match="key 'a'; ORCH_ENCRYPTION_KEYS holds another key of this name"):
        Sealer(keys(other)).unseal(Sealer(keys(A)).seal(TEXT, "x"), "x")


@pytest.mark.parametrize(
    ("held", "told"), [((), "ORCH_ENCRYPTION_KEYS is not set"), ((B,), "ORCH_ENCRYPTION_KEYS holds only b")]
)
def test_the_missing_key_is_named(held: tuple[str, ...], told: str) -> None:
    with pytest.raises(MissingKeyError, match=rf"^this data is sealed with encryption key 'a'; {told}$"):
        Sealer(keys(*held)).unseal(Sealer(keys(A)).seal(TEXT, "x"), "x")


def test_a_store_keeps_no_readable_content(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri(), keys(A))
        ref = await store.put(TEXT)
        await store.write_named("projects/p/view.json", TEXT)
        assert await store.create_named("projects/p/once", TEXT)
        assert not await store.create_named("projects/p/once", b"other")
        assert await store.get(ref) == TEXT
        assert await store.read_named("projects/p/view.json") == TEXT
        await store.put(TEXT)
        assert len(objects(tmp_path)) == 3
        assert not any(TEXT[:8] in content for content in objects(tmp_path).values())

    asyncio.run(scenario())


def test_objects_cannot_be_exchanged(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri(), keys(A))
        await store.write_named("projects/p/view.json", b"p")
        await store.write_named("projects/q/view.json", b"q")
        (tmp_path / "projects/p/view.json").write_bytes((tmp_path / "projects/q/view.json").read_bytes())
        with pytest.raises(ArtifactError, match=r"projects/p/view\.json was altered"):
            await store.read_named("projects/p/view.json")

    asyncio.run(scenario())


def test_keys_rotate(tmp_path: Path) -> None:
    async def scenario() -> None:
        old, both, new = (ArtifactStore.open(tmp_path.as_uri(), keys(*given)) for given in ((A,), (B, A), (B,)))
        first, shared = await old.put(b"first"), await old.put(b"shared")
        assert await both.get(first) == b"first"
        second = await both.put(b"second")
        assert await both.put(b"shared") == shared, "what is put again is sealed with the new key"
        assert await new.get(second) == b"second"
        assert await new.get(shared) == b"shared"
        with pytest.raises(MissingKeyError, match="key 'a'"):
            await new.get(first)
        with pytest.raises(MissingKeyError, match="key 'b'"):
            await old.get(second)
        await new.put(b"first")
        assert await new.get(first) == b"first", "nobody has the old key any more, and nobody needs it"

    asyncio.run(scenario())


def test_encryption_can_be_turned_on_later_but_not_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        plain, sealed = (ArtifactStore.open(tmp_path.as_uri(), keys(*given)) for given in ((), (A,)))
        early, again = await plain.put(b"early"), await plain.put(TEXT)
        assert await sealed.get(early) == b"early"
        await sealed.put(TEXT)
        assert not any(TEXT[:8] in content for content in objects(tmp_path).values())
        with pytest.raises(MissingKeyError):
            await plain.get(again)
        with pytest.raises(MissingKeyError):
            await plain.put(TEXT)
        assert await sealed.get(again) == TEXT, "who has no key replaced a sealed object"

    asyncio.run(scenario())


def test_a_journal_that_cannot_be_opened_is_no_free_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        key = CallKey(namespace="n", project="p", task="t", generation=0, stage=Stage.GENERATE, iteration=1)
        sealed = Journal(ArtifactStore.open(tmp_path.as_uri(), keys(A)), "one")
        assert await sealed.begin(key, "digest") == Fresh()
        with pytest.raises(MissingKeyError):
            await Journal(ArtifactStore.open(tmp_path.as_uri(), keys(B)), "two").begin(key, "digest")
        ((entry, content),) = objects(tmp_path).items()
        (tmp_path / entry).write_bytes(content[:-1] + b"?")
        assert await sealed.begin(key, "digest") == Unknown(owner="")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (A.partition(":")[2], "key 1 is not <id>:<base64>"),
        (f"{A},{B.partition(':')[2]}", "key 2 is not <id>:<base64>"),
        ("a b:AAAA", "key 1 is not <id>:<base64>"),
        ("a:secret!", "key 1 is not base64"),
        (f"a:{base64.b64encode(b'x' * 16).decode()}", "key 1 has 16 bytes instead of 32"),
        (f"{A},{A}", "two keys have the same id"),
        (f"{A},", "key 2 is not <id>:<base64>"),
    ],
)
def test_bad_keys_are_refused_without_being_shown(text: str, told: str) -> None:
    with pytest.raises(UserInputError, match=told) as caught:
        load_settings({"ORCH_ENCRYPTION_KEYS": text})
    shown = str(caught.value)
    assert "\n" not in shown
    assert not any(piece in shown for piece in (*text.replace(",", ":").split(":"), "secret") if len(piece) > 3)


def test_keys_are_in_no_repr() -> None:
    settings = load_settings({"ORCH_ENCRYPTION_KEYS": A})
    assert settings.encryption.ids == ("a",)
    for shown in (repr(settings), str(settings), settings.encryption.model_dump_json()):
        assert A.partition(":")[2] not in shown
        assert "a" * 32 not in shown
