"""The system call filter of the sandbox, as a BPF program.

It closes what namespaces and a watchdog leave open: new namespaces (a tmpfs without a size limit), memory
that belongs to no process (memfd, System V segments and queues), the caller's key rings, and wide kernel
surfaces.
"""

import errno
import platform
import struct

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_X32_BIT = 0x40000000
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone cannot make a time namespace)
_CLONE_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

# architecture: (audit id, clone, clone3, denied calls)
_MACHINES: dict[str, tuple[int, int, int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        56,
        435,
        {
            "shmget": 29, "msgget": 68, "pivot_root": 155, "mount": 165, "umount2": 166, "kexec_load": 246,
            "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
            "open_by_handle_at": 304, "setns": 308, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
            "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
            "mount_setattr": 442, "memfd_secret": 447,
        },
    ),
    "aarch64": (
        0xC00000B7,
        220,
        435,
        {
            "umount2": 39, "mount": 40, "pivot_root": 41, "unshare": 97, "kexec_load": 104, "msgget": 186,
            "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241,
            "open_by_handle_at": 265, "setns": 268, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
            "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
            "mount_setattr": 442, "memfd_secret": 447,
        },
    ),
}  # fmt: skip


def supported() -> bool:
    """True where this machine's system calls are known."""
    return platform.machine() in _MACHINES


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def program() -> bytes:
    """The filter for this machine, as bubblewrap reads it. Raises KeyError where `supported()` is False."""
    audit_id, clone, clone3, denied = _MACHINES[platform.machine()]
    absent = _step(_RETURN, _ERRNO | errno.ENOSYS)
    steps = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, audit_id, 1, 0),
        _step(_RETURN, _KILL),  # 32-bit calls have other numbers
        _step(_LOAD, _NR),
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
    ]
    for number in (*denied.values(), clone3):  # clone3 hides its flags in memory; libc falls back to clone
        steps += [_step(_EQUAL, number, 0, 1), absent]
    steps += [
        _step(_EQUAL, clone, 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _CLONE_NAMESPACES, 0, 1),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)
