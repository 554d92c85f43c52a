"""What processes cost: CPU seconds."""

from collections.abc import Iterable
from typing import NamedTuple

import psutil


class Usage(NamedTuple):
    """CPU seconds at one moment: of each part, and of all that the machine has done."""

    parts: dict[str, float]
    machine_s: float

    def since(self, earlier: "Usage") -> "Usage":
        """What was used between two moments."""
        parts = {name: max(0.0, cpu_s - earlier.parts.get(name, 0.0)) for name, cpu_s in self.parts.items()}
        return Usage(parts, self.machine_s - earlier.machine_s)


def usage(roots: dict[str, list[int]]) -> Usage:
    """CPU seconds so far of each part, which is some processes with all that they have started."""
    machine = psutil.cpu_times()
    # What is neither idle nor waiting for a disk nor taken away by a host.
    busy_s = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
    return Usage({name: sum(map(_cpu_s, _with_descendants(pids))) for name, pids in roots.items()}, busy_s)


def _with_descendants(pids: Iterable[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue  # it has ended
    return found


def _cpu_s(process: psutil.Process) -> float:
    """CPU time of a process and of the children that it has waited for."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0
