"""The user's own files that become part of the software: read from beside the project file, and from nowhere else.

A project file may come from somebody else, and models see what it takes in: nothing outside its folder is read.
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.artifacts.manifest import check_paths
from orchestrator.domain.answer_files import MAX_FILE_BYTES
from orchestrator.domain.paths import normalise_path

MAX_FILES = 200
MAX_ALL_BYTES = 20 * 1024 * 1024
_OPEN_FOLDERS = {".github"}
_OPEN_FILES = {".env.example"}
_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", ".npmrc", ".pypirc", ".git-credentials")
_KEY_ENDINGS = (".pem", ".key", ".p12", ".pfx")
_LEFT_OUT = {"__pycache__", "node_modules", "results"}  # and whatever begins with a dot


def inside(folder: Path, name: str) -> Path | None:
    """The file or folder `name` of `folder`; None where links lead out of it. Raises UnsafePathError, a ValueError."""
    place = folder / normalise_path(name.rstrip("/"))
    return place if place.resolve().is_relative_to(folder.resolve()) else None


class UserFiles:
    """Collects files below `folder`. `complain(index, words)` is told what is wrong with an entry."""

    def __init__(self, folder: Path, complain: Callable[[int, str], None]) -> None:
        self._folder = folder.resolve()
        self._complain = complain
        self._found: dict[str, bytes] = {}
        self._bytes = 0

    def read(self, entries: Iterable[tuple[str, str]]) -> dict[str, bytes]:
        """The contents by path in the software; an entry is that path and the file or folder in `folder`."""
        for index, (path, source) in enumerate(entries):
            try:
                self._take(path, source)
            except ValueError as error:
                self._complain(index, str(error))
        return self._found

    def _take(self, path: str, source: str) -> None:
        place = inside(self._folder, source)
        if place is None:
            raise ValueError(f"{source!r} leads out of the folder of the project file")
        if place.is_dir():
            below = path.rstrip("/")
            for file in _files_of(place):
                self._add(f"{below}/{file.relative_to(place).as_posix()}", file)
        else:
            self._add(path, place)

    def _add(self, path: str, file: Path) -> None:
        path = normalise_path(path)
        name = file.relative_to(self._folder).as_posix()
        if _secret(name):
            raise ValueError(f"{name!r} may hold keys, and models see the files; leave it out")
        check_paths([*self._found, path])
        if len(self._found) == MAX_FILES:
            raise ValueError(f"these are more than {MAX_FILES} files; name those that the software needs")
        data = _content(file)
        self._bytes += len(data)
        if self._bytes > MAX_ALL_BYTES:
            raise ValueError(f"the files are larger than {MAX_ALL_BYTES} bytes together")
        self._found[path] = data


def _files_of(folder: Path) -> list[Path]:
    """The regular files below `folder`, in order; links, hidden files and what tools leave behind are left out."""
    found: list[Path] = []
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        here = (Path(above) / name for name in sorted(names) if not name.startswith("."))
        found += [path for path in here if path.is_file() and not path.is_symlink()]
        if len(found) > MAX_FILES:
            break
    return found


def _content(file: Path) -> bytes:
    try:
        # Without O_NONBLOCK a pipe would block; O_NOFOLLOW: what was checked is what is read.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise ValueError(f"{file.name!r} cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{file.name!r} is no file")
        data = opened.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{file.name!r} is larger than {MAX_FILE_BYTES} bytes")
    return data


def _secret(path: str) -> bool:
    *folders, name = path.lower().split("/")
    return (
        any(folder.startswith(".") and folder not in _OPEN_FOLDERS for folder in folders)
        or (name.startswith(".env") and name not in _OPEN_FILES)
        or name.startswith(_KEYS)
        or name.endswith(_KEY_ENDINGS)
    )
