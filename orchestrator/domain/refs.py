"""References into the artifact store: what payloads carry instead of texts."""

import hashlib

from orchestrator.domain.base import Frozen


class BlobRef(Frozen):
    """Content in the artifact store. `sha256` is its hexadecimal digest, `size` its length in bytes."""

    sha256: str
    size: int


def blob_ref(data: bytes) -> BlobRef:
    """The reference that `data` has in every store."""
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


class FileRef(Frozen):
    """One file of generated software: a normalised relative POSIX path and its content."""

    path: str
    sha256: str
    size: int


class DraftRef(Frozen):
    """The files of one version of one task's result.

    `manifest` is a JSON list of FileRef; `files_bytes` is the sum of the files' sizes. A file of the manifest that is
    not in `paths` does not count: the store has lost it.
    """

    manifest: BlobRef
    files_bytes: int
    paths: tuple[str, ...]
