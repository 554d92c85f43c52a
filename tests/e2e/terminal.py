"""The real command line at a terminal: a person who reads and types."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.testing.installation import COMMAND, Installation

DEADLINE_S = 60.0
_SIZE = struct.pack("HHHH", 60, 200, 0, 0)


class Terminal:
    """One command whose input and messages are a terminal's; stdout goes to a file."""

    def __init__(self, installation: Installation, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        self._descriptor, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, _SIZE)
        self._out = installation.folder / f"terminal-{self._descriptor}-{time.monotonic_ns()}.out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=slave,
                stdout=out,
                stderr=slave,
                cwd=installation.folder,
                env={**installation.environment, "TERM": "xterm", **(extra or {})},
                start_new_session=True,
            )
        os.close(slave)
        self.shown = ""

    def read_until(self, text: str) -> str:
        """All that was shown so far, once `text` is in what came since the last line was typed."""
        since, deadline = len(self.shown), time.monotonic() + DEADLINE_S
        while text not in self.shown[since:]:
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown
        return self.shown

    def type(self, line: str) -> None:
        """A line, and Enter."""
        os.write(self._descriptor, f"{line}\n".encode())

    def close_input(self) -> None:
        """Ctrl-D."""
        os.write(self._descriptor, b"\x04")

    def end(self) -> tuple[int, str]:
        """Exit code and stdout, once the command has ended."""
        deadline = time.monotonic() + DEADLINE_S
        while self._read():
            assert time.monotonic() < deadline, self.shown
        code = self.process.wait(DEADLINE_S)
        return code, self._out.read_text(encoding="utf-8")

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._descriptor)

    def _read(self) -> bool:
        """Take what is there; False once the command has closed the terminal."""
        ready, _, _ = select.select([self._descriptor], [], [], 1.0)
        if not ready:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def editor(folder: Path, old: str, new: str) -> dict[str, str]:
    """An $EDITOR that replaces a text of the file by another."""
    script = folder / f"editor-{time.monotonic_ns()}.sh"
    script.write_text(f'#!/bin/sh\nexec sed -i "s|{old}|{new}|" "$1"\n', encoding="utf-8")
    script.chmod(0o755)
    return {"EDITOR": str(script), "VISUAL": ""}
