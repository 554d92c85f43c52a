"""No sweep removes what somebody can still reach, whoever writes meanwhile and wherever it stops."""

import asyncio
import base64
import hashlib
import json
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.artifacts import store as store_module
from orchestrator.artifacts.backends import Entry, LocalBackend
from orchestrator.artifacts.store import SWEEP_MARK, ArtifactError, ArtifactStore
from orchestrator.artifacts.sweeping import blobs_among, clock_s, digests, digests_in, named_among, reachable, sweep
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.refs import BlobRef
from orchestrator.settings.encryption import parse_encryption_keys

DAY_S = 86_400.0


def grow_old(root: Path) -> None:
    """All that lies in the store was written two days ago."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 2 * DAY_S,) * 2)


async def garbage(store: ArtifactStore, blobs: dict[str, Entry]) -> list[Entry]:
    roots = await digests_in(store, [entry.name for entry in named_among(await store.entries())])
    marked = await reachable(store, roots, blobs)
    return [entry for digest, entry in blobs.items() if digest not in marked]


async def collect(store: ArtifactStore) -> int:
    doomed = await garbage(store, blobs_among(await store.entries()))
    return (await sweep(store, doomed, await clock_s(store) - DAY_S)).blobs


async def can_read(store: ArtifactStore, ref: BlobRef) -> bool:
    try:
        await store.get(ref)
    except ArtifactError:
        return False
    return True


REF = BlobRef(sha256=hashlib.sha256(b"x").hexdigest(), size=1)


@pytest.mark.parametrize(
    "form",
    [
        REF.model_dump_json(),
        json.dumps([{"path": "a", **REF.model_dump()}]),
        json.dumps({"view_json": json.dumps({"manifest": REF.model_dump()})}),
        f'{{"a": 1}}\n{REF.model_dump_json()}\n',
        f"[[[[{REF.sha256}]]]]" + "[" * 100_000,
    ],
)
def test_a_reference_is_found_in_every_form(form: str) -> None:
    assert digests(form.encode()) == {REF.sha256}


@pytest.mark.parametrize("text", [REF.sha256[1:], f"{REF.sha256}0", REF.sha256.upper()])
def test_what_is_no_digest_is_none(text: str) -> None:
    assert digests(text.encode()) == set()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_nothing_that_a_kept_project_reaches_is_removed(
    tmp_path_factory: pytest.TempPathFactory, seed: int, projects: int
) -> None:
    """Projects share texts and drafts; some are deleted. What the others name, over any number of steps, stays."""
    chance = random.Random(seed)
    root = tmp_path_factory.mktemp("store")

    async def scenario() -> None:
        store = ArtifactStore.open(root.as_uri())
        known: list[BlobRef] = []
        inner: dict[str, list[BlobRef]] = {}
        owned: dict[int, list[BlobRef]] = {}
        for project in range(projects):
            for _ in range(chance.randrange(6)):
                named = chance.sample(known, min(len(known), chance.randrange(3)))
                ref = await store.put(json.dumps([chance.randrange(8), *(one.model_dump() for one in named)]).encode())
                inner[ref.sha256] = named
                known.append(ref)
            owned[project] = chance.sample(known, min(len(known), chance.randrange(4)))
            text = json.dumps([ref.model_dump() for ref in owned[project]])
            await store.write_named(f"projects/default/p{project}/state.json", text.encode())
        for project in [project for project in owned if chance.random() < 0.5]:
            await store.delete_named(f"projects/default/p{project}/state.json")
            del owned[project]
        grow_old(root)
        young = await store.put(f"young {seed}".encode())
        await collect(store)
        live = {young.sha256}
        todo = [ref for refs in owned.values() for ref in refs]
        while todo:
            ref = todo.pop()
            live.add(ref.sha256)
            todo += inner[ref.sha256]
        assert blobs_among(await store.entries()).keys() == live

    asyncio.run(scenario())


def test_sealed_references_are_followed(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(
            tmp_path.as_uri(), parse_encryption_keys(f"k:{base64.b64encode(bytes(32)).decode()}")
        )
        leaf = await store.put(b"text" * 30)
        list_ = await store.put(json.dumps([leaf.model_dump()]).encode())
        await store.write_named("projects/default/p/view.json", list_.model_dump_json().encode())
        gone = await store.put(b"gone")
        grow_old(tmp_path)
        assert await collect(store) == 1
        assert await can_read(store, leaf)
        assert not await can_read(store, gone)

    asyncio.run(scenario())


class Interrupting(LocalBackend):
    """Something happens right before a blob is removed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before_delete: Callable[[], Awaitable[None]] | None = None

    async def delete(self, name: str) -> None:
        if name.startswith("blobs/") and (hook := self.before_delete):
            self.before_delete = None
            await hook()
        await super().delete(name)


class Telling(LocalBackend):
    """Says when a blob was written anew."""

    def __init__(self, root: Path, rewritten: asyncio.Event) -> None:
        super().__init__(root)
        self._rewritten = rewritten

    async def write(self, name: str, data: bytes) -> None:
        await super().write(name, data)
        if name.startswith("blobs/"):
            self._rewritten.set()


def test_content_that_is_put_while_it_is_removed_is_there_afterwards(tmp_path: Path) -> None:
    """The sweep has found the blob old, and removes it right after another run has put the same content."""

    async def scenario() -> None:
        backend = Interrupting(tmp_path)
        rewritten = asyncio.Event()
        sweeper, other = ArtifactStore(backend), ArtifactStore(Telling(tmp_path, rewritten))
        await other.put(b"shared")
        grow_old(tmp_path)
        puts: list[asyncio.Task[BlobRef]] = []

        async def put_meanwhile() -> None:
            puts.append(asyncio.create_task(other.put(b"shared")))
            async with asyncio.timeout(10):
                await rewritten.wait()

        backend.before_delete = put_meanwhile
        assert await collect(sweeper) == 1
        assert rewritten.is_set()
        assert await can_read(other, await puts[0])
        assert await other.read_named(SWEEP_MARK) is None

    asyncio.run(scenario())


def test_content_that_is_put_between_marking_and_removing_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        await store.put(b"old")
        grow_old(tmp_path)
        doomed = await garbage(store, blobs_among(await store.entries()))
        ref = await store.put(b"old")
        assert (await sweep(store, doomed, await clock_s(store) - DAY_S)).blobs == 0
        assert await can_read(store, ref)

    asyncio.run(scenario())


def test_a_sweep_that_died_leaves_a_store_that_the_next_one_cleans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        backend = Interrupting(tmp_path)
        store = ArtifactStore(backend)
        kept = await store.put(b"kept" * 30)
        await store.write_named("projects/default/p/view.json", kept.model_dump_json().encode())
        for number in range(5):
            await store.put(f"garbage {number}".encode())
        grow_old(tmp_path)

        async def die() -> None:
            raise KeyboardInterrupt

        backend.before_delete = die
        with pytest.raises(KeyboardInterrupt):
            await collect(store)
        await store.create_named(SWEEP_MARK, b"of the dead")  # a kill leaves its mark
        with pytest.raises(PrerequisiteError, match="another process"):
            await collect(store)
        os.utime(tmp_path / SWEEP_MARK, (time.time() - 61,) * 2)
        assert await collect(store) == 5
        assert await can_read(store, kept)

    asyncio.run(scenario())


def test_a_put_does_not_wait_for_ever_for_a_sweep_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(store_module, "SWEEP_LEASE_S", 0.4)
        store = ArtifactStore.open(tmp_path.as_uri())
        await store.put(b"old")
        grow_old(tmp_path)
        await store.create_named(SWEEP_MARK, b"of the dead")
        assert await can_read(store, await store.put(b"old"))

    asyncio.run(scenario())
