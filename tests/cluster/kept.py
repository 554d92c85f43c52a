"""A process that is started again whenever it dies, as systemd or Kubernetes would, until it is closed."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.client.processes import wait_until

RESTART_S = 0.3
STOP_S = 20.0
_POLL_S = 0.02


class Program(NamedTuple):
    """What is run: in `folder`, output appended to `log`, ended by `stop`, as another `user` where one is named."""

    command: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    stop: signal.Signals = signal.SIGTERM
    user: str | None = None


class Kept:
    """Keeps one program running. Ends with whoever started it, even where that one is killed."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._closing = threading.Event()
        self._resting = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._patience_s = STOP_S
        self.starts = 0
        self.started_s = 0.0  # wall clock of the last start
        # The signal of a parent's death is that of the thread that started the child: this one lives as long as we do.
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def kill(self) -> None:
        """kill -9; returns when the process is gone. Another one follows."""
        process = self._process
        assert process is not None, f"{self._program.command[0]} never ran"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def replace(self, timeout_s: float) -> bool:
        """kill -9, and wait for the next one to be started; False where that takes longer."""
        starts = self.starts
        self.kill()
        return wait_until(lambda: self.starts > starts, timeout_s)

    def rest(self) -> None:
        """kill -9, and nothing follows until `wake`."""
        self._resting.set()
        self.kill()

    def wake(self) -> None:
        """Start it again."""
        self._resting.clear()

    def close(self, patience_s: float = STOP_S) -> None:
        """End the process for good; one that does not end in time is killed."""
        self._patience_s = patience_s
        self._closing.set()
        self._thread.join(STOP_S + 5.0)

    def _keep(self) -> None:
        while not self._closing.is_set():
            if not self._resting.is_set():
                self._process = self._start()
                wait_until(lambda: self._closing.is_set() or self._ended(), float("inf"))
                if self._closing.is_set():
                    self._end()
                    return
            self._closing.wait(RESTART_S)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _start(self) -> "subprocess.Popen[bytes]":
        program = self._program
        user = ("--reuid", program.user, "--regid", program.user, "--init-groups") if program.user else ()
        leash = ("setpriv", "--pdeathsig", program.stop.name.removeprefix("SIG"), *user, "--")
        self.starts += 1
        self.started_s = time.time()
        with program.log.open("ab") as log:
            return subprocess.Popen(
                [*leash, *program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=program.folder,
                env=dict(program.environment),
            )

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(self._program.stop)
        try:
            process.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
