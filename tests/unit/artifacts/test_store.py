"""The store keeps what it is given, notices damage, and never leaves its root."""

import asyncio
import errno
import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.artifacts.store import (
    ArtifactError,
    ArtifactStore,
    ArtifactUnavailableError,
    RecentContent,
    safe_piece,
)
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.refs import BlobRef


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open("memory://" if request.param == "memory" else (tmp_path / "a b%").as_uri())


def blob_path(root: Path, ref: BlobRef) -> Path:
    return root / "blobs" / ref.sha256[:2] / ref.sha256


def test_content_comes_back_and_is_named_by_its_digest(store: ArtifactStore) -> None:
    async def scenario() -> None:
        for data in (b"", b"x" * 4096, bytes(range(256)) * 5000):
            ref = await store.put(data)
            assert ref == BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
            assert await store.put(data) == ref
            assert await store.get(ref) == data

    asyncio.run(scenario())


def test_missing_content_is_an_error_that_names_the_digest(store: ArtifactStore) -> None:
    ref = BlobRef(sha256="0" * 64, size=3)
    with pytest.raises(ArtifactError, match="0" * 64):
        asyncio.run(store.get(ref))


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "A" * 64, "0" * 63 + "\n", "0" * 65])
def test_what_is_no_digest_reads_nothing(store: ArtifactStore, digest: str) -> None:
    with pytest.raises(ArtifactError, match="not a digest"):
        asyncio.run(store.get(BlobRef(sha256=digest, size=1)))


@pytest.mark.parametrize("damage", [b"", b"hellO", b"hello world"])
def test_altered_content_is_noticed_and_mended_by_the_next_put(tmp_path: Path, damage: bytes) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        ref = await store.put(b"hello")
        blob_path(tmp_path, ref).write_bytes(damage)
        with pytest.raises(ArtifactError, match=ref.sha256):
            await store.get(ref)
        await store.put(b"hello")
        assert await store.get(ref) == b"hello"

    asyncio.run(scenario())


def test_a_reference_with_a_wrong_size_is_noticed(store: ArtifactStore) -> None:
    async def scenario() -> None:
        ref = await store.put(b"hello")
        with pytest.raises(ArtifactError):
            await store.get(ref.model_copy(update={"size": 4}))

    asyncio.run(scenario())


def test_named_objects_are_replaced_created_once_and_listed(store: ArtifactStore) -> None:
    async def scenario() -> None:
        assert await store.read_named("state/a/b.json") is None
        assert await store.list_named("state") == []
        assert await store.create_named("state/a/b.json", b"1")
        assert not await store.create_named("state/a/b.json", b"2")
        assert await store.read_named("state/a/b.json") == b"1"
        await store.write_named("state/a/b.json", b"3")
        await store.write_named("state/c", b"")
        await store.write_named("stately", b"")
        assert await store.read_named("state/a/b.json") == b"3"
        assert await store.read_named("state/c") == b""
        assert await store.list_named("state/") == ["state/a/b.json", "state/c"]

    asyncio.run(scenario())


HOSTILE_NAMES = [
    "", "/", "/etc/passwd", "a/../../b", "..", ".", "a//b", "a/", "a/./b", ".tmp/x", "blobs/aa/x", "a\\b",
    "a\0b", "a\nb", "ü", "a/" + "b" * 300, "/".join(["a"] * 600),
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_cannot_leave_the_store_or_touch_its_blobs(store: ArtifactStore, name: str) -> None:
    for operation in (store.read_named(name), store.write_named(name, b""), store.create_named(name, b"")):
        with pytest.raises(ValueError, match="not a name"):
            asyncio.run(operation)


@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_pieces_are_valid_and_differ_where_texts_differ(texts: list[str]) -> None:
    pieces = [safe_piece(text.encode("utf-8", "replace").decode()) for text in texts]
    store = ArtifactStore.open("memory://")
    for piece in pieces:
        asyncio.run(store.write_named(f"journal/{piece}", b""))
    if texts[0].encode("utf-8", "replace") != texts[1].encode("utf-8", "replace"):
        assert pieces[0] != pieces[1]


@pytest.mark.parametrize("text", ["", ".", "..", "../x", ".tmp", "a/b", "blobs%", "x" * 5000, "é" * 200])
def test_a_piece_is_one_segment(text: str) -> None:
    piece = safe_piece(text)
    assert "/" not in piece
    assert not piece.startswith(".")
    assert 0 < len(piece) <= 120


def _create(url: str, barrier: "multiprocessing.synchronize.Barrier", wins: "multiprocessing.Queue[int]") -> None:
    async def race() -> None:
        store = ArtifactStore.open(url)
        for round_number in range(30):
            barrier.wait(60)
            if await store.create_named(f"race/{round_number}", str(os.getpid()).encode()):
                wins.put(round_number)

    asyncio.run(race())


def test_of_several_processes_exactly_one_creates(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, wins = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_create, args=(tmp_path.as_uri(), barrier, wins)) for _ in range(4)]
    for process in processes:
        process.start()
    won = sorted(wins.get(timeout=60) for _ in range(30))
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert won == list(range(30))
    assert wins.empty()


def test_concurrent_puts_of_one_content_agree(store: ArtifactStore) -> None:
    async def scenario() -> None:
        refs = await asyncio.gather(*(store.put(b"same") for _ in range(50)))
        assert len(set(refs)) == 1
        assert await store.get(refs[0]) == b"same"

    asyncio.run(scenario())


def test_nothing_temporary_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        await store.put(b"a")
        await store.put(b"a")
        await store.write_named("n", b"a")
        await store.create_named("n", b"b")

    asyncio.run(scenario())
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_a_store_that_was_swept_away_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open((tmp_path / "s").as_uri())
        os.rename(tmp_path / "s", tmp_path / "gone")
        assert await store.get(await store.put(b"a")) == b"a"

    asyncio.run(scenario())


def test_a_full_disk_is_unavailable_not_damaged() -> None:
    """/dev/full is no folder, so a file system limit stands in: a path under a file."""
    with pytest.raises(ArtifactUnavailableError) as caught:
        ArtifactStore.open("file:///dev/full/store")
    assert not isinstance(caught.value, ArtifactError)
    assert os.strerror(errno.ENOTDIR) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_file_system_is_unavailable_not_damaged(tmp_path: Path) -> None:
    import resource

    store = ArtifactStore.open(tmp_path.as_uri())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ArtifactUnavailableError, match=os.strerror(errno.EFBIG)):
            asyncio.run(store.put(b"x" * 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / ".tmp").iterdir()) == []
    asyncio.run(store.put(b"x" * 5000))


@pytest.mark.parametrize("url", ["", "results", "/tmp/x", "file://host/x", "file:x", "http://x/y", "s3://", "az:///x"])
def test_a_url_that_cannot_be_used_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(UserInputError) as caught:
        ArtifactStore.open(url)
    assert "\n" not in str(caught.value)


def test_a_put_of_4_kb_needs_no_thread_and_less_than_a_millisecond(tmp_path: Path) -> None:
    async def scenario() -> float:
        store = ArtifactStore.open(tmp_path.as_uri())
        times = []
        for number in range(200):
            data = f"{number:4096}".encode()
            began = time.perf_counter()
            await store.put(data)
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    assert asyncio.run(scenario()) < 0.001


def test_recent_content_is_read_once_and_memory_is_bounded(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        recent = RecentContent(store, limit_bytes=100)
        small, large, huge = await store.put(b"s" * 40), await store.put(b"l" * 60), await store.put(b"h" * 101)

        async def lost(ref: BlobRef) -> bool:
            """Whether `recent` has to ask the store for it."""
            path = blob_path(tmp_path, ref)
            content = path.read_bytes()
            path.unlink()
            try:
                return await recent.get(ref) != content
            except ArtifactError:
                return True
            finally:
                path.write_bytes(content)

        assert await recent.get(small) == b"s" * 40
        assert await recent.get(large) == b"l" * 60
        assert not await lost(small) and not await lost(large)
        other = await store.put(b"o")
        assert await recent.get(other) == b"o"
        assert await lost(small) and not await lost(large) and not await lost(other), "the one that was longest unused"
        assert await recent.get(huge) == b"h" * 101
        assert await lost(huge) and await lost(large)
        assert await recent.get(small) == b"s" * 40 and not await lost(small)

    asyncio.run(scenario())


def test_recent_content_is_counted_once_where_several_wait_for_it(tmp_path: Path) -> None:
    class Slow:
        def __init__(self, store: ArtifactStore) -> None:
            self.store, self.reads = store, 0

        async def get(self, ref: BlobRef) -> bytes:
            self.reads += 1
            await asyncio.sleep(0)
            return await self.store.get(ref)

    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        slow = Slow(store)
        recent = RecentContent(slow, limit_bytes=100)
        first, second = await store.put(b"1" * 50), await store.put(b"2" * 50)
        await asyncio.gather(*(recent.get(first) for _ in range(5)))
        await recent.get(second)
        reads = slow.reads
        assert await recent.get(first) == b"1" * 50 and await recent.get(second) == b"2" * 50
        assert slow.reads == reads, "both fit in"

    asyncio.run(scenario())
