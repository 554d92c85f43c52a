"""Run as a process of its own: does bubblewrap work where a tool worker's container lets it?

Takes the path of a seccomp profile; prints why no sandbox can be made, nothing where one can. Before it tries, the
process becomes what it is in the container: an ordinary user without any capability or way to gain one, under the
profile. Exit code 3: libseccomp, which applies the profile, is not here.
"""

import ctypes
import ctypes.util
import json
import os
import sys
from pathlib import Path

from orchestrator.validators import bubblewrap

USER_ID = 10001
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # of seccomp.h
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38  # of prctl.h
_LAST_CAPABILITY = 63


def filter_of(library: ctypes.CDLL, profile: Path) -> ctypes.c_void_p:
    """The filter that a container runtime makes of the profile, not yet in force."""
    content = json.loads(profile.read_text(encoding="utf-8"))
    assert content["defaultAction"] == "SCMP_ACT_ALLOW"
    library.seccomp_init.restype = ctypes.c_void_p
    made = ctypes.c_void_p(library.seccomp_init(_ALLOW))
    for rule in content["syscalls"]:
        assert rule["action"] == "SCMP_ACT_ERRNO"
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            library.seccomp_rule_add_array(made, _ERRNO | rule["errnoRet"], number, 0, None)
    return made


def confine(library: ctypes.CDLL, made: ctypes.c_void_p) -> None:
    """Give up what a container of ours does not have. Raises OSError."""
    system = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        for capability in range(_LAST_CAPABILITY + 1):
            system.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those that this kernel does not know
        os.setgroups([])
        os.setgid(USER_ID)
        os.setuid(USER_ID)
    if system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or library.seccomp_load(made):
        raise OSError(ctypes.get_errno(), "the profile cannot be applied")


def main() -> None:
    """Print the reason, if any."""
    found = ctypes.util.find_library("seccomp")
    if not found:
        raise SystemExit(3)
    library = ctypes.CDLL(found, use_errno=True)
    program = bubblewrap.find(os.environ.get("PATH"))
    assert program
    confine(library, filter_of(library, Path(sys.argv[1])))
    sys.stdout.write(bubblewrap.probe(program))


if __name__ == "__main__":
    main()
