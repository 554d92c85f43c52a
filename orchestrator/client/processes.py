"""Background processes that outlive the command that started them: identity, locks, start and stop."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError

Say = Callable[[str], None]
"""Receives one line of progress for the user."""

Record = TypeVar("Record", bound=Frozen)

_POLL_S = 0.02
_MAX_LOG_BYTES = 5_000_000
_PID_FILE_S = 5.0
# The process writes its own pid before it becomes the program, so that it is known even where the command
# that started it is killed right after. The shell between them ends at once, so that nobody has to
# wait for the process.
_LAUNCH = """file=$1; shift; sh -c 'echo $$ > "$0" && exec "$@"' "$file" "$@" &"""


class ProcessRef(Frozen):
    """A process that cannot be mistaken for a later one with the same pid. `start_time` is opaque."""

    pid: int
    start_time: str

    @property
    def alive(self) -> bool:
        """True while the process runs; a process that ended and was not reaped yet is not alive."""
        return process_start(self.pid) == self.start_time


def process_start(pid: int) -> str | None:
    """When the process started, None if it does not run. Only good for comparison on the same machine."""
    if pid <= 0:
        return None
    if os.path.isdir("/proc/self"):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else fields[19]
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(listed) < 2 or listed[0].startswith("Z") else listed[1].strip()


def find_process(pid: int) -> ProcessRef | None:
    """The process with this pid, None if it does not run."""
    start_time = process_start(pid)
    return None if start_time is None else ProcessRef(pid=pid, start_time=start_time)


def recorded_process(pid_file: Path) -> ProcessRef | None:
    """The process that `spawn` recorded; only to be believed while that process's lock is held."""
    try:
        text = pid_file.read_text().strip()
    except OSError:
        return None
    return find_process(int(text)) if text.isdigit() else None


def terminate(process: ProcessRef, patience_s: float) -> None:
    """Asks the process to end, and ends it after `patience_s`. Returns when it is gone."""
    _signal(process, signal.SIGTERM)
    if not wait_until(lambda: not process.alive, patience_s):
        _signal(process, signal.SIGKILL)
        wait_until(lambda: not process.alive, 5.0)


def drain(process: ProcessRef) -> None:
    """Asks the process to end and does not wait for it."""
    _signal(process, signal.SIGTERM)


def _signal(process: ProcessRef, number: signal.Signals) -> None:
    if process.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Blocks until `condition` holds; False where it did not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


@contextlib.contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the lock `path`; `on_wait` is called once where another process holds it for over a second."""
    descriptor = open_lock(path)
    try:
        if not wait_until(lambda: try_lock(descriptor), 1.0):
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Descriptor of the lock file `path`, which is made with its folder. Raises PrerequisiteError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrerequisiteError(f"{path}: {error.strerror}; set ORCH_HOME to a folder of yours") from error


def try_lock(descriptor: int) -> bool:
    """Takes the lock if it is free. It is held until every copy of the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    pid_file: Path,
    lock: int,
) -> ProcessRef | None:
    """Starts `command` in `folder` in a session of its own: it outlives us and holds `lock` for its life.

    None where it has ended already.
    """
    pid_file.unlink(missing_ok=True)
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        os.replace(log, log.with_suffix(".old.log"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
        subprocess.run(
            ["/bin/sh", "-c", _LAUNCH, "sh", str(pid_file), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(environment),
            pass_fds=(lock,),
            start_new_session=True,
            check=True,
        )
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), _PID_FILE_S)
    return recorded_process(pid_file)


def last_line(log: Path) -> str:
    """The last line of a log file, its last 200 characters, for an error message: an error's cause is at its end."""
    try:
        lines = log.read_bytes()[-4000:].decode(errors="replace").split("\n")
    except OSError:
        return ""
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return line if len(line) <= 200 else f"…{line[-199:]}"


def write_atomic(path: Path, text: str) -> None:
    """Replaces the file whole; readable by its owner only."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    os.replace(temporary, path)


def read_record(kind: type[Record], path: Path) -> Record | None:
    """What write_atomic kept, None where there is nothing usable."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
