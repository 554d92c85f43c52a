"""First program of a sandboxed run; stands alone, since it runs under the interpreter of the tools.

Argument: one JSON object. It lowers limits, gives up root, hands folders to the caller over the control
socket, writes the files that come back, and becomes the command.
Wire: descriptors with `R`; then per file `path length, size, path, content`, ended by a zero length; then
`K`, or `E` and the number of the error that stopped the writing.
"""

import json
import os
import resource
import socket
import struct
import sys
from contextlib import suppress
from typing import BinaryIO

HEADER = struct.Struct("!IQ")
CHUNK_BYTES = 1 << 20


def lower_limits(limits: dict[str, tuple[int, int]]) -> None:
    """Set each named limit, never above what is already in force."""
    for name, (soft, hard) in limits.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        allowed = resource.getrlimit(which)[1]
        if allowed != resource.RLIM_INFINITY:
            soft, hard = min(soft, allowed), min(hard, allowed)
        with suppress(ValueError, OSError):  # not every system enforces every limit; the watchdog does
            resource.setrlimit(which, (soft, hard))


def become(uid: int) -> None:
    """Drop root for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def write_files(stream: BinaryIO) -> None:
    """Write the files that arrive on `stream` below the current folder."""
    while True:
        length, size = HEADER.unpack(read_exactly(stream, HEADER.size))
        if length == 0:
            return
        path = read_exactly(stream, length).decode()
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as file:
            while size:
                chunk = read_exactly(stream, min(size, CHUNK_BYTES))
                file.write(chunk)
                size -= len(chunk)


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes. Raises EOFError where the caller went away."""
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the caller went away")
    return data


def main() -> int:
    """Prepare the run and become its command; the exit code where that fails."""
    plan = json.loads(sys.argv[1])
    control = socket.socket(fileno=plan["control_fd"])
    control.set_inheritable(False)
    os.umask(0o022)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # absent outside Linux
        file.write("1000")  # if the machine runs out of memory, this goes first
    lower_limits(plan["rlimits"])
    os.nice(plan["nice"])
    if plan["uid"] is not None:
        become(plan["uid"])
    os.chdir(plan["workspace"])
    folders = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in plan["folders"]]
    socket.send_fds(control, [b"R"], folders)
    try:
        write_files(control.makefile("rb"))
    except OSError as error:
        control.sendall(b"E%d" % (error.errno or 0))
        return 1
    control.sendall(b"K")
    try:
        os.execvp(plan["command"][0], plan["command"])
    except OSError as error:
        sys.stderr.write(f"{plan['command'][0]}: {error.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main())
