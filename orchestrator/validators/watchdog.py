"""Watches a process tree from outside and says which limit it has hit."""

import os
import time
from dataclasses import dataclass

from orchestrator.validators.limits import Limits

BYTES_PER_INODE = 2048  # a file costs kernel memory that no size limit of a tmpfs counts
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TIMES = slice(11, 15)  # utime, stime, cutime, cstime, counted after the command's closing bracket
_SESSION, _THREADS, _RESIDENT = 3, 17, 21


@dataclass(frozen=True)
class TreeUsage:
    """What a tree uses right now. `memory_bytes` counts shared pages once per process."""

    tasks: int
    cpu_s: float
    memory_bytes: int
    pids: tuple[str, ...]


class Watchdog:
    """Compares one run with its limits at each look.

    `proc` is an open folder of a procfs. Without `session` every process in it belongs to the run (a pid
    namespace of its own, whose first process is the reaper); with it, those of that session do. `disks` are
    open folders, each on a file system of its own.
    """

    def __init__(
        self, limits: Limits, proc: int | None, disks: tuple[int, ...] = (), session: int | None = None
    ) -> None:
        self._limits = limits
        self._proc = proc
        self._disks = disks
        self._session = session
        self._cpu_s = 0.0
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the watch began."""
        return time.monotonic() - self._started

    def look(self) -> str:
        """The limit that is exceeded now, empty if none is."""
        if self.elapsed_s > self._limits.wall_s:
            return "wall"
        if self.disk_full():
            return "disk"
        if self._proc is None:
            return ""
        usage = sample(self._proc, self._session)
        self._cpu_s = max(self._cpu_s, usage.cpu_s)
        if usage.tasks > self._limits.processes:
            return "processes"
        if self._cpu_s > self._limits.cpu_s:
            return "cpu"
        allowed = self._limits.memory_bytes
        if usage.memory_bytes > allowed and proportional_bytes(self._proc, usage) > allowed:
            return "memory"
        return ""

    def disk_full(self) -> bool:
        """True where a writable folder has no room left; after the run's end too, as the folders are open."""
        inodes = self._limits.disk_bytes // BYTES_PER_INODE
        for folder in self._disks:
            state = os.statvfs(folder)
            if state.f_bavail <= 1 or state.f_files - state.f_ffree > inodes:
                return True
        return False


def sample(proc: int, session: int | None = None) -> TreeUsage:
    """Sum over the processes that the open procfs folder `proc` shows."""
    tasks, ticks, pages = 0, 0, 0
    pids: list[str] = []
    try:
        names = os.listdir(proc)
    except OSError:
        names = []  # the namespace is gone
    for name in names:
        if not name.isdigit() or (session is None and name == "1"):
            continue
        fields = _stat(proc, name)
        if fields is None or (session is not None and int(fields[_SESSION]) != session):
            continue
        pids.append(name)
        tasks += max(1, int(fields[_THREADS]))
        ticks += sum(int(value) for value in fields[_TIMES])
        pages += int(fields[_RESIDENT])
    return TreeUsage(tasks, ticks / _TICKS_PER_S, pages * _PAGE_BYTES, tuple(pids))


def proportional_bytes(proc: int, usage: TreeUsage) -> int:
    """Memory of the tree with shared pages counted once; the plain sum where the system does not tell."""
    total = 0
    for pid in usage.pids:
        text = _read(proc, f"{pid}/smaps_rollup")
        if text is None:
            continue  # ended meanwhile
        line = next((line for line in text.splitlines() if line.startswith("Pss:")), None)
        if line is None:
            return usage.memory_bytes
        total += int(line.split()[1]) * 1024
    return total


def _stat(proc: int, pid: str) -> list[str] | None:
    text = _read(proc, f"{pid}/stat")
    return text.rpartition(")")[2].split() if text else None


def _read(proc: int, path: str) -> str | None:
    """A small file below `proc`; None where its process has ended, empty where it may not be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    except PermissionError:
        return ""
    except OSError:
        return None
    try:
        return os.read(fd, 8192).decode("ascii", "replace")
    except OSError:
        return None
    finally:
        os.close(fd)
