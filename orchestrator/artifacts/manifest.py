"""Sets of files in the store: drafts of tasks, and what a project publishes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pydantic import TypeAdapter, ValidationError

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.store import ArtifactStore, Contents
from orchestrator.domain.base import Frozen
from orchestrator.domain.paths import UnsafePathError, normalise_path
from orchestrator.domain.refs import BlobRef, DraftRef, FileRef

_FILE_LIST = TypeAdapter(tuple[FileRef, ...])


class Manifest(Frozen):
    """Files with different normalised paths, none of which is a folder of another."""

    files: tuple[FileRef, ...]


async def write_draft(store: ArtifactStore, files: Mapping[str, bytes]) -> DraftRef:
    """Keeps `files` (path to content) as one version of a task's result.

    Raises UnsafePathError for a path that must not be written, or two that cannot exist side by side.
    """
    refs = await put_files(store, files)
    manifest = await store.put(json.dumps([ref.model_dump() for ref in refs]).encode())
    return DraftRef(
        manifest=manifest,
        files_bytes=sum(ref.size for ref in refs),
        paths=tuple(ref.path for ref in refs),
    )


async def read_draft(store: Contents, ref: DraftRef) -> dict[str, bytes]:
    """The files of a draft by path. Raises ArtifactError where anything is missing, altered or unsafe."""
    return {file.path: await read_file(store, file) for file in await _listed(store, ref)}


async def salvage_draft(store: Contents, ref: DraftRef) -> dict[str, bytes]:
    """Those files of a draft that can still be read, by path: all of `ref.paths` unless the store was damaged."""
    files: dict[str, bytes] = {}
    with suppress(ArtifactError):
        for file in await _listed(store, ref):
            with suppress(ArtifactError):
                files[file.path] = await read_file(store, file)
    return files


async def merge_drafts(store: Contents, drafts: Sequence[DraftRef]) -> dict[str, bytes]:
    """The files of all drafts by path; the last one wins. Raises ArtifactError like read_draft."""
    merged: dict[str, bytes] = {}
    for draft in drafts:
        merged.update(await read_draft(store, draft))
    return merged


async def put_files(store: ArtifactStore, files: Mapping[str, bytes]) -> tuple[FileRef, ...]:
    """Keeps the contents; the references are ordered by path. Raises UnsafePathError."""
    check_paths(files)
    refs = [(path, await store.put(data)) for path, data in sorted(files.items())]
    return tuple(FileRef(path=path, sha256=ref.sha256, size=ref.size) for path, ref in refs)


async def write_manifest(store: ArtifactStore, manifest: Manifest) -> BlobRef:
    """Keeps `manifest` as a JSON object `{files: [FileRef]}`."""
    return await store.put(manifest.model_dump_json().encode())


async def read_manifest(store: Contents, ref: BlobRef) -> Manifest:
    """The manifest. Raises ArtifactError where it is missing, altered or holds an unsafe path."""
    try:
        manifest = Manifest.model_validate_json(await store.get(ref))
        check_paths(file.path for file in manifest.files)
    except (ValidationError, UnsafePathError) as error:
        raise _damaged(ref, error) from None
    return manifest


async def read_file(store: Contents, file: FileRef) -> bytes:
    """The content of one file of a manifest. Raises ArtifactError where it is missing or altered."""
    return await store.get(_blob(file))


def check_paths(paths: Iterable[str]) -> None:
    """Raises UnsafePathError unless all paths are normalised and can exist together, on any file system."""
    taken: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        if normalise_path(path) != path:
            raise UnsafePathError(f"{path!r} is not normalised")
        key = path.casefold()
        above = folders_of(key)
        if key in taken or key in folders or not taken.isdisjoint(above):
            raise UnsafePathError(f"{path!r} clashes with another path")
        taken.add(key)
        folders.update(above)


def folders_of(path: str) -> list[str]:
    """All folders above `path`, such as `a` and `a/b` of `a/b/c`."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


async def _listed(store: Contents, ref: DraftRef) -> list[FileRef]:
    """The files of the manifest that the draft still counts: those that were lost are not in its paths."""
    try:
        files = _FILE_LIST.validate_json(await store.get(ref.manifest))
        check_paths(file.path for file in files)
    except (ValidationError, UnsafePathError) as error:
        raise _damaged(ref.manifest, error) from None
    return [file for file in files if file.path in ref.paths]


def _blob(file: FileRef) -> BlobRef:
    return BlobRef(sha256=file.sha256, size=file.size)


def _damaged(ref: BlobRef, error: ValidationError | UnsafePathError) -> ArtifactError:
    reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return ArtifactError(f"manifest {ref.sha256} cannot be used: {reason}")
