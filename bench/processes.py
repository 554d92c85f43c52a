"""What processes cost: CPU seconds from /proc (Linux)."""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class _Stat(NamedTuple):
    """Of one process: its parent and its CPU time, that of the children that it has waited for included."""

    parent: int
    cpu_s: float


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
    stats = dict(_stats())
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)

    def below(pid: int) -> float:
        own = stats[pid].cpu_s if pid in stats else 0.0
        return own + sum(below(child) for child in children.get(pid, ()))

    return Usage({name: sum(below(pid) for pid in pids) for name, pids in roots.items()}, _machine_s())


def _stats() -> list[tuple[int, _Stat]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it ended meanwhile
            fields = text[text.rindex(")") + 2 :].split()
            found.append((int(entry.name), _Stat(int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)))
    return found


def _machine_s() -> float:
    """CPU seconds of all processors that were neither idle nor waiting for a disk nor taken away by a host."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / _TICKS
