"""Limits that the kernel itself holds, where a cgroup of version 2 may be made."""

import itertools
import os
from pathlib import Path

from orchestrator.validators.limits import Limits

_PREFIX = "orch-sandbox-"
_HEADROOM_TASKS = 64  # the reaper and the tools; the watchdog holds the exact number
_numbers = itertools.count()


class Cgroup:
    """One cgroup around one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def create(cls, base: Path | None, limits: Limits, disks: int) -> "Cgroup | None":
        """A cgroup below `base` with the limits set; None where that is not allowed.

        The kernel counts what lies in the run's `disks` tmpfs folders as memory, so they come on top.
        """
        if base is None:
            return None
        remove_orphans(base)
        folder = base / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        try:
            folder.mkdir()
            (folder / "memory.max").write_text(str(limits.memory_bytes + disks * limits.disk_bytes))
            (folder / "pids.max").write_text(str(limits.processes + _HEADROOM_TASKS))
        except OSError:
            cls(folder).remove()
            return None
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            try:
                (folder / name).write_text(value)
            except OSError:
                continue  # absent without swap accounting or on older kernels
        return cls(folder)

    def add(self, pid: int) -> None:
        """Move one process in; those that it starts later are born inside. Raises OSError."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def limit_hit(self) -> str:
        """`memory` or `processes` where the kernel had to act, else empty."""
        if self._event("memory.events", "oom_kill"):
            return "memory"
        if self._event("pids.events", "max"):
            return "processes"
        return ""

    def remove(self) -> bool:
        """Delete the cgroup; False while something in it still lives."""
        try:
            self._folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _event(self, file: str, name: str) -> int:
        try:
            lines = (self._folder / file).read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


def find_base(own: str = "/proc/self/cgroup", mounts: str = "/proc/self/mounts") -> Path | None:
    """Where cgroups with memory and process limits can be made: our own cgroup or its parent, else None."""
    try:
        lines = Path(mounts).read_text().splitlines()
        entries = Path(own).read_text().splitlines()
    except OSError:
        return None
    root = next((line.split()[1] for line in lines if line.split()[2:3] == ["cgroup2"]), None)
    path = next((entry[3:] for entry in entries if entry.startswith("0::")), None)
    if root is None or path is None:
        return None
    here = Path(root) / path.lstrip("/")
    for base in (here, here.parent):
        if base.is_relative_to(root) and _usable(base):
            return base
    return None


def remove_orphans(base: Path) -> None:
    """Delete cgroups of processes that died before they could."""
    for folder in base.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            Cgroup(folder).remove()


def _usable(base: Path) -> bool:
    try:
        enabled = (base / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    writable = os.access(base, os.W_OK) and os.access(base / "cgroup.procs", os.W_OK)
    return {"memory", "pids"} <= set(enabled) and writable
