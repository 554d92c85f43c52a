"""Export: a manifest becomes a folder, whole or not at all, and never over a user's files."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.artifacts.exchange import exchange
from orchestrator.artifacts.manifest import read_file, read_manifest
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.artifacts.summary import SUMMARY_NAME, Exported, read_summary
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line

_CACHES = ("__pycache__", ".pytest_cache", ".ruff_cache")
_STAGING = ".orch-export-"
_MAX_SUMMARY_BYTES = 64 * 1024 * 1024


async def export_manifest(store: ArtifactStore, manifest: BlobRef, target: Path, project_id: str) -> Path:
    """Makes `target` the folder that `manifest` describes, and returns its absolute path.

    Everything is written beside the target first and takes its place in one step, so that a crash leaves the
    old or the new state. Raises UserInputError where check_target does, ArtifactError where the manifest is
    unsafe or content is missing or altered, PrerequisiteError where the file system refuses.
    """
    target = _located(target)
    check_target(target, project_id)
    files = (await read_manifest(store, manifest)).files
    with _failing_in_one_line(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _staging(target) as staging:
            for file in files:
                content = await read_file(store, file)
                await asyncio.to_thread(_write, staging / file.path, content)
            await asyncio.to_thread(_flush_folders, staging)
            check_target(target, project_id)  # the user may have been at work meanwhile
            _swap(staging, target)
    return target


def check_target(target: Path, project_id: str) -> None:
    """Raises UserInputError unless an export of the project may take the place of `target`.

    It may where nothing is there, or an empty folder, or an earlier export of the same project in which
    nothing was added or changed since; what tools leave behind (such as `__pycache__`) does not count.
    """
    target = _located(target)
    try:
        _check_parent(target)
        _check_present(target, project_id)
    except OSError as error:
        raise _refused(target, error.strerror or type(error).__name__, "choose another folder") from None


def _check_present(target: Path, project_id: str) -> None:
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise _refused(target, "it is a symbolic link", "give the folder that it points to")
    if not stat.S_ISDIR(mode):
        raise _refused(target, "it is not a folder", "choose another folder")
    entries = dict(_entries(target))
    if not entries:
        return
    exported = _earlier_export(target)
    if exported is None:
        raise _refused(target, "it is not empty", "choose another folder, or empty it")
    if exported.project_id != project_id:
        other = one_line(exported.project_id, 60)
        raise _refused(target, f"it holds the export of project {other}", "choose another folder")
    for path, mode in sorted(entries.items()):
        if path != SUMMARY_NAME and not _unchanged(target / path, mode, exported.files.get(path)):
            shown = one_line(path, 100)
            raise _refused(target, f"{shown} was added or changed since the last export", "move your work away")


def _located(target: Path) -> Path:
    """The absolute path of `target`; links above it are followed, it itself is not."""
    absolute = Path(os.path.abspath(target))
    return Path(os.path.realpath(absolute.parent)) / absolute.name


def _check_parent(target: Path) -> None:
    if not target.name:
        raise _refused(target, "it is the root folder", "choose another folder")
    existing = next(parent for parent in target.parents if os.path.lexists(parent))
    if not existing.is_dir():
        raise _refused(target, f"{existing} is not a folder", "choose another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _refused(target, f"{existing} cannot be written to", "choose another folder")


def _entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and mode of everything in `folder` that holds data: folders and caches do not."""
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if name not in _CACHES]
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in (*files, *links):
            path = Path(parent, name)
            yield path.relative_to(folder).as_posix(), os.lstat(path).st_mode


def _raise(error: OSError) -> None:
    raise error


def _earlier_export(target: Path) -> Exported | None:
    path = target / SUMMARY_NAME
    try:
        info = os.lstat(path)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _MAX_SUMMARY_BYTES:
            return None
        return read_summary(path.read_bytes())
    except OSError:
        return None


def _unchanged(path: Path, mode: int, digest: str | None) -> bool:
    if not stat.S_ISREG(mode):
        return False
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, locked while it is in use and gone afterwards.

    What earlier exports to the same target left behind when they were killed is removed; a lock tells those
    that are still at work.
    """
    prefix = f"{_STAGING}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}-"
    for stale in target.parent.glob(f"{prefix}*"):
        _remove_stale(stale)
    while True:
        staging = target.parent / f"{prefix}{uuid.uuid4().hex[:12]}"
        staging.mkdir(mode=0o755)
        handle = os.open(staging, os.O_RDONLY | os.O_DIRECTORY)
        if _lock(handle) and _same(handle, staging):
            break
        os.close(handle)  # another export took it for a stale one before it was locked
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(handle)


def _remove_stale(folder: Path) -> None:
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if _lock(handle):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(handle: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    return False


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(handle, 0o755 if content.startswith(b"#!") else 0o644)
        os.fsync(handle)


def _flush_folders(root: Path) -> None:
    for parent, _, _ in os.walk(root):
        os.chmod(parent, 0o755)
        _flush(Path(parent))


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(staging: Path, target: Path) -> None:
    """Puts `staging` in the place of `target`; an earlier export ends up in the place of `staging`."""
    if target.exists() and any(target.iterdir()):
        exchange(staging, target)
    else:
        os.rename(staging, target)  # an empty folder gives way, one that has just been filled does not
    _flush(target.parent)


@contextmanager
def _failing_in_one_line(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PrerequisiteError(f"output folder {target}: {reason}; free it, or choose another folder") from error


def _refused(target: Path, why: str, fix: str) -> UserInputError:
    return UserInputError(one_line(f"output folder {target}: {why}; {fix}", 1000))
