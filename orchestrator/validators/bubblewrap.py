"""The command line of bubblewrap: what a sandboxed process sees.

Started as root, the payload becomes a user id of its own without a user namespace: in a user namespace it
would still be root to the kernel and could write /proc/sys. Started by an ordinary user, a user namespace
maps that user only.
"""

import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.validators import seccomp
from orchestrator.validators.environments.environment import NODE_CACHES, Environment
from orchestrator.validators.limits import Limits

TOOLS = "/opt/orch-tools"
ENVIRONMENT = "/opt/orch-environment"
INIT = "/opt/orch-init.py"
WORKSPACE = "/workspace"
HOME = "/home/sandbox"
TEMP = "/tmp"
DISKS = (WORKSPACE, TEMP, HOME, "/dev/shm")
_USER = "sandbox"
_UNPRIVILEGED_ID = 65534
_OWN_IDS_FROM = 0x7000_0000
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_PROBE_TIMEOUT_S = 10
_ENVIRONMENT = {
    "HOME": HOME,
    "TMPDIR": TEMP,
    "USER": _USER,
    "LOGNAME": _USER,
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Descriptors:
    """Small read-only contents that bubblewrap reads from descriptors; closed as a whole."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    def content(self, data: bytes) -> str:
        """A descriptor, as an argument, from which `data` can be read."""
        fd = os.memfd_create("orch-sandbox")
        self.fds.append(fd)
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return str(fd)

    def close(self) -> None:
        """Close all; the child has its own by then."""
        while self.fds:
            os.close(self.fds.pop())


def payload_uid() -> int | None:
    """The user id that the payload takes when we are root; None where a user namespace hides ours.

    One of its own per run, so that limits per user are limits per run; `nobody` where ids are few.
    """
    if os.geteuid() != 0:
        return None
    available = max(int(line.split()[0]) + int(line.split()[2]) for line in _lines("/proc/self/uid_map"))
    if available > _OWN_IDS_FROM + 0x1000_0000:
        return _OWN_IDS_FROM + secrets.randbelow(0x1000_0000)
    return _UNPRIVILEGED_ID


def tasks_counted_per_run(uid: int | None) -> bool:
    """Whether RLIMIT_NPROC counts the tasks of one run alone, for a payload with the result of `payload_uid`."""
    if uid is not None:
        return uid != _UNPRIVILEGED_ID
    major, minor = (int(part) for part in platform.release().split("-")[0].split(".")[:2])
    return (major, minor) >= (5, 14)  # since then per user namespace


def command_line(
    bwrap: str,
    tools: Path,
    bases: Sequence[Path],
    plan: dict[str, object],
    limits: Limits,
    extra_environment: dict[str, str],
    status_fd: int,
    descriptors: Descriptors,
    installed: Environment,
) -> list[str]:
    """The whole command that starts `plan` (the argument of `box_init.py`) inside a sandbox."""
    uid = plan["uid"] if isinstance(plan["uid"], int) else _UNPRIVILEGED_ID
    init = Path(__file__).with_name("box_init.py").read_bytes()
    outside_usr = [base for base in bases if not base.is_relative_to("/usr")]
    words = [bwrap, *_isolation(), *_folders_above(Path(TOOLS), Path(HOME), *outside_usr), *_system()]
    words += [*_etc(uid, descriptors), "--ro-bind", str(tools), TOOLS]
    for base in outside_usr:
        words += ["--ro-bind", str(base.resolve()), str(base)]
    words += ["--perms", "0444", "--file", descriptors.content(init), INIT]
    for folder in DISKS:
        words += [*_writable(limits), folder]
    words += _packages(installed, limits)
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORKSPACE, "--clearenv"]
    for name, value in {**_ENVIRONMENT, "PATH": _path(installed, outside_usr), **extra_environment}.items():
        words += ["--setenv", name, value]
    words += ["--seccomp", descriptors.content(seccomp.program()), "--json-status-fd", str(status_fd)]
    return [*words, "--", f"{TOOLS}/bin/python", "-I", "-S", INIT, json.dumps(plan)]


def probe(bwrap: str) -> str:
    """Why bubblewrap cannot make a sandbox here, in one line; empty where it can."""
    descriptors = Descriptors()
    try:
        words = [bwrap, *_isolation(), *_system(), *_etc(_UNPRIVILEGED_ID, descriptors)]
        words += ["--size", "4096", "--tmpfs", "/tmp", "--seccomp", descriptors.content(seccomp.program())]
        done = subprocess.run(
            [*words, "--", "/bin/true"],
            pass_fds=descriptors.fds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"bubblewrap did not answer within {_PROBE_TIMEOUT_S} s"
    except OSError as error:
        return f"bubblewrap cannot be started: {error.strerror}"
    finally:
        descriptors.close()
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"bubblewrap cannot make a sandbox here: {said[-1][:150] if said else done.returncode}"


def find(path: str | None) -> str | None:
    """bubblewrap's program on `path` (colon-separated), None if there is none."""
    return shutil.which("bwrap", path=path)


def _path(installed: Environment, bases: Sequence[Path]) -> str:
    """Programs of the checked software's packages come first, then the tools."""
    folders = [f"{ENVIRONMENT}/bin"] if installed.python else []
    folders += [f"{TOOLS}/bin", *(str(base / "bin") for base in bases), "/usr/local/bin", "/usr/bin", "/bin"]
    return ":".join(folders)


def _packages(installed: Environment, limits: Limits) -> list[str]:
    """Installed packages, read-only; what Node's tools write beside their packages goes nowhere."""
    words = ["--ro-bind", str(installed.python), ENVIRONMENT] if installed.python else []
    for folder, modules in installed.node.items():
        above = Path(WORKSPACE, folder)
        for parent in [*reversed(above.parents), above]:
            if parent.is_relative_to(WORKSPACE) and parent != Path(WORKSPACE):
                words += ["--perms", "1777", "--dir", str(parent)]
        words += ["--ro-bind", str(modules), f"{above}/node_modules"]
        for name in NODE_CACHES:
            words += [*_writable(limits), f"{above}/node_modules/{name}"]
    return words


def _writable(limits: Limits) -> list[str]:
    return ["--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs"]


def _isolation() -> list[str]:
    common = ["--die-with-parent", "--new-session", "--hostname", "sandbox"]
    if os.geteuid() != 0:
        return ["--unshare-all", "--uid", str(_UNPRIVILEGED_ID), "--gid", str(_UNPRIVILEGED_ID), *common]
    namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    return [*namespaces, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", *common]


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for folder in _SYSTEM:
        if os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            words += ["--ro-bind", folder, folder]
    for file in ("/etc/ld.so.cache", "/etc/alternatives"):
        words += ["--ro-bind-try", file, file]
    return [*words, "--proc", "/proc", "--dev", "/dev"]


def _folders_above(*paths: Path) -> list[str]:
    """Folders on the way, open to the payload: those that bubblewrap makes by itself are for root alone."""
    below = (*paths, Path("/etc/passwd"))
    parents = {parent for path in below for parent in path.parents if parent != Path("/")}
    words: list[str] = []
    for folder in sorted(parents):
        words += ["--perms", "0755", "--dir", str(folder)]
    return words


def _etc(uid: int, descriptors: Descriptors) -> list[str]:
    files = {
        "/etc/passwd": f"{_USER}:x:{uid}:{uid}::{HOME}:/bin/sh\n",
        "/etc/group": f"{_USER}:x:{uid}:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }
    words: list[str] = []
    for path, text in files.items():
        words += ["--perms", "0444", "--file", descriptors.content(text.encode()), path]
    return words


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
