"""Paths that models propose: accepted only as plain relative paths inside the workspace."""

import unicodedata

MAX_PATH_BYTES = 240
MAX_SEGMENT_BYTES = 120
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}


class UnsafePathError(ValueError):
    """A path that must not be written. The message names the reason."""


def normalise_path(raw: str) -> str:
    """`raw` as a normalised relative POSIX path.

    Raises UnsafePathError for absolute paths, drive letters, `..`, control, format and bidirectional characters,
    names that are devices elsewhere, version control folders, and what is too long.
    """
    path = unicodedata.normalize("NFC", raw.strip())
    if not path:
        raise UnsafePathError("empty path")
    if any(unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for ch in path):
        raise UnsafePathError("control or format characters in the path")
    if "\\" in path or ":" in path:
        raise UnsafePathError("backslash or colon in the path")
    if path.startswith(("/", "~")):
        raise UnsafePathError("absolute path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or path.endswith("/"):
        raise UnsafePathError("the path names a folder")
    for part in parts:
        _check_segment(part)
    result = "/".join(parts)
    if len(result.encode()) > MAX_PATH_BYTES:
        raise UnsafePathError(f"path longer than {MAX_PATH_BYTES} bytes")
    return result


def _check_segment(part: str) -> None:
    if part == "..":
        raise UnsafePathError("'..' in the path")
    if part.lower() == ".git":
        raise UnsafePathError("version control folder in the path")
    if part.split(".")[0].lower() in _WINDOWS_DEVICES or part != part.rstrip(" ."):
        raise UnsafePathError("a name that is special on other systems")
    if len(part.encode()) > MAX_SEGMENT_BYTES:
        raise UnsafePathError(f"file name longer than {MAX_SEGMENT_BYTES} bytes")
