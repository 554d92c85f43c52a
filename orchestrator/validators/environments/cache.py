"""What becomes of environments that nobody has used for long."""

import fcntl
import time
from contextlib import suppress
from pathlib import Path

from orchestrator.validators.environments.installer import remove

UNUSED_DAYS = 14
_DAY_S = 86_400.0


def remove_unused(folder: Path, now_s: float | None = None) -> None:
    """Delete environments below `folder` that were last asked for more than two weeks ago, and drafts of the dead.

    One that somebody is building or waits for is locked, and stays.
    """
    oldest_s = (time.time() if now_s is None else now_s) - UNUSED_DAYS * _DAY_S
    for entry in folder.iterdir():
        if entry.suffix == ".lock" or not entry.is_dir():
            continue
        with suppress(OSError):  # somebody else was faster
            if entry.stat().st_mtime < oldest_s:
                _remove_unlocked(folder, entry)


def _remove_unlocked(folder: Path, entry: Path) -> None:
    lock = folder / f"{entry.stem}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        remove(entry)
