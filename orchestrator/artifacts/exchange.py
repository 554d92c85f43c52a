"""Two folders swap places in one step where the system can do that."""

import ctypes
import errno
import os
import sys
import uuid
from pathlib import Path

_AT_FDCWD = -100  # Linux: paths are relative to the working folder
_RENAME_EXCHANGE = 2  # Linux, renameat2
_RENAME_SWAP = 2  # macOS, renamex_np
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def exchange(first: Path, second: Path) -> None:
    """Swaps two existing folders of one file system. Raises OSError.

    Where neither system nor file system can do it in one step, three renames do; a crash between them leaves
    `second` missing.
    """
    if not _exchange_at_once(os.fsencode(first), os.fsencode(second)):
        aside = first.with_name(f"{first.name}-{uuid.uuid4().hex[:8]}")
        os.rename(second, aside)
        os.rename(first, second)
        os.rename(aside, first)


def _exchange_at_once(first: bytes, second: bytes) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(first, second, ctypes.c_uint(_RENAME_SWAP))
    elif sys.platform == "linux" and hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE))
    else:
        return False
    if failed and ctypes.get_errno() in _UNSUPPORTED:
        return False
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.fsdecode(second))
    return True
