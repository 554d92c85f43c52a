"""Runs the real command line as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

COMMAND = (sys.executable, "-m", "cli.main")
TIMEOUT_S = 240


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one JSON object that stdout is."""
        assert self.out, f"nothing on stdout, exit code {self.code}: {self.err}"
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def orch(*arguments: str, python: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> Outcome:
    """Run `orch-cli ARGUMENTS` to its end, with `environment` added to ours."""
    done = subprocess.run(
        [COMMAND[0], *python, *COMMAND[1:], *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
