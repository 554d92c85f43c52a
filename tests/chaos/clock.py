"""Moves the wall clock of one process, as a correction of the machine's clock does; all others keep theirs.

Programs read the clock through the vDSO, code that the kernel maps into every process. Here its first instructions are
replaced, in one process, by a system call and an addition. That works for Python as for the Temporal server, a static
Go binary, which a preloaded library (libfaketime) cannot reach; time namespaces leave the wall clock alone.
"""

import os
import platform
import signal
import struct
from pathlib import Path
from typing import NamedTuple

_SYMBOL = b"__vdso_clock_gettime"
_TABLE_OF_SYMBOLS = 11  # SHT_DYNSYM
# mov eax, SYS_clock_gettime; syscall; test edi, edi (CLOCK_REALTIME?); jne +7; add qword [rsi], seconds; ret
_BEFORE, _AFTER = bytes.fromhex("b8e40000000f0585ff7507488106"), bytes.fromhex("c3")
_TRIES = 50


class _Section(NamedTuple):
    """What matters of an entry in the table of sections."""

    kind: int
    offset: int
    size: int
    link: int


def movable() -> str:
    """Why clocks cannot be moved on this machine, empty where they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"clocks are moved by x86-64 code on Linux, this is {platform.system()} on {platform.machine()}"
    try:
        _function(os.getpid())
        with Path("/proc/self/mem").open("r+b", buffering=0):
            pass
    except (OSError, ValueError) as error:
        return f"the code of a process cannot be written here: {error}"
    return "" if os.geteuid() == 0 or _may_trace() else "writing into another process needs root or ptrace_scope 0"


def jump(pid: int, seconds: int) -> None:
    """From now on the process's wall clock differs by `seconds` from the machine's. Raises OSError, TimeoutError."""
    at = _function(pid)
    code = _BEFORE + struct.pack("<i", seconds) + _AFTER
    for _ in range(_TRIES):
        os.kill(pid, signal.SIGSTOP)
        try:
            if not any(at <= counter < at + len(code) for counter in _program_counters(pid)):
                with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
                    memory.seek(at)
                    memory.write(code)
                return
        finally:
            os.kill(pid, signal.SIGCONT)
    raise TimeoutError(f"process {pid} reads its clock all the time")


def _may_trace() -> bool:
    try:
        return Path("/proc/sys/kernel/yama/ptrace_scope").read_text(encoding="ascii").strip() == "0"
    except OSError:
        return True


def _function(pid: int) -> int:
    """Address of the vDSO's clock in the process. Raises ValueError where there is none."""
    start, end = _mapping(pid)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(start)
        image = memory.read(end - start)
    sections = _sections(image)
    symbols = next(section for section in sections if section.kind == _TABLE_OF_SYMBOLS)
    names = sections[symbols.link].offset
    for entry in range(symbols.offset, symbols.offset + symbols.size, 24):
        name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, entry)
        if image[names + name :].startswith(_SYMBOL + b"\0"):
            return start + int(value)
    raise ValueError("the vDSO has no clock")


def _mapping(pid: int) -> tuple[int, int]:
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        if line.endswith("[vdso]"):
            start, _, end = line.split()[0].partition("-")
            return int(start, 16), int(end, 16)
    raise ValueError("the process has no vDSO")


def _sections(image: bytes) -> list[_Section]:
    (table,) = struct.unpack_from("<Q", image, 0x28)
    size, count = struct.unpack_from("<HH", image, 0x3A)
    found = []
    for number in range(count):
        _, kind, _, _, offset, length, link, _, _, _ = struct.unpack_from("<IIQQQQIIQQ", image, table + number * size)
        found.append(_Section(kind, offset, length, link))
    return found


def _program_counters(pid: int) -> list[int]:
    """Where the threads of a stopped process stand; a thread that still runs stands at the function, to be safe."""
    counters = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        told = (task / "syscall").read_text(encoding="ascii").split()
        counters.append(int(told[-1], 16) if len(told) > 1 else _function(pid))
    return counters
