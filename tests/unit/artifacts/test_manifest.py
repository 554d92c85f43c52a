"""Drafts: what goes in comes out, and nothing unsafe goes in or comes out."""

import asyncio
import json

import pytest

from orchestrator.artifacts.manifest import (
    Manifest,
    merge_drafts,
    read_draft,
    read_manifest,
    write_draft,
    write_manifest,
)
from orchestrator.artifacts.store import ArtifactError, ArtifactStore
from orchestrator.domain.paths import UnsafePathError
from orchestrator.domain.refs import BlobRef, DraftRef, FileRef

FILES = {"pkg/a.py": b"a = 1\n", "README.md": b"# x", "pkg/__init__.py": b""}
HOSTILE_PATHS = [
    "../x",
    "/etc/passwd",
    "a/../../x",
    "a\\b",
    "C:/x",
    "~/x",
    ".git/config",
    "a/.GIT/hooks/x",
    "a\x00b",
    "a\u202eb",
    "CON",
    "a/",
    "",
    "a//b",
    "./a",
    " a",
    "e\u0301",
]
HOSTILE_SETS = [*([path] for path in HOSTILE_PATHS), ["a", "A"], ["a", "a/b"], ["A/b", "a"], ["x", "x"]]


def test_a_draft_comes_back() -> None:
    async def scenario() -> None:
        store = ArtifactStore.open("memory://")
        ref = await write_draft(store, FILES)
        assert await read_draft(store, ref) == FILES
        assert ref.files_bytes == sum(map(len, FILES.values()))
        assert set(ref.paths) == set(FILES)
        assert ref == await write_draft(store, dict(reversed(FILES.items())))

    asyncio.run(scenario())


def test_of_merged_drafts_the_later_wins() -> None:
    async def scenario() -> dict[str, bytes]:
        store = ArtifactStore.open("memory://")
        drafts = [await write_draft(store, files) for files in ({"a": b"1", "b": b"1"}, {"b": b"2", "c": b"2"})]
        return await merge_drafts(store, drafts)

    assert asyncio.run(scenario()) == {"a": b"1", "b": b"2", "c": b"2"}


@pytest.mark.parametrize("paths", [["../x"], ["a//b"], ["a", "A"], ["a", "a/b"]])
def test_unsafe_paths_are_not_written(paths: list[str]) -> None:
    with pytest.raises(UnsafePathError):
        asyncio.run(write_draft(ArtifactStore.open("memory://"), dict.fromkeys(paths, b"")))


@pytest.mark.parametrize("paths", HOSTILE_SETS)
def test_hostile_manifests_are_refused(paths: list[str]) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open("memory://")
        blob = await store.put(b"")
        files = [FileRef(path=path, sha256=blob.sha256, size=0) for path in paths]
        draft = await store.put(json.dumps([file.model_dump() for file in files]).encode())
        with pytest.raises(ArtifactError, match=draft.sha256):
            await read_draft(store, DraftRef(manifest=draft, files_bytes=0, paths=()))
        with pytest.raises(ArtifactError):
            await read_manifest(store, await write_manifest(store, Manifest(files=tuple(files))))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"path":"a"}]', b'[{"path":"a","sha256":"","size":0,"x":1}]']
)
def test_what_is_no_manifest_is_damage(content: bytes) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open("memory://")
        ref = await store.put(content)
        with pytest.raises(ArtifactError):
            await read_draft(store, DraftRef(manifest=ref, files_bytes=0, paths=()))

    asyncio.run(scenario())


def test_a_missing_file_is_damage() -> None:
    async def scenario() -> None:
        store = ArtifactStore.open("memory://")
        ref = await store.put(json.dumps([{"path": "a", "sha256": "1" * 64, "size": 1}]).encode())
        with pytest.raises(ArtifactError, match="1" * 64):
            await read_draft(store, DraftRef(manifest=ref, files_bytes=1, paths=("a",)))
        with pytest.raises(ArtifactError, match="2" * 64):
            await read_manifest(store, BlobRef(sha256="2" * 64, size=1))

    asyncio.run(scenario())
