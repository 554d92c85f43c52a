"""Builds Temporal's server and its SQL tool from the Go module proxy, once: `python -m tests.cluster.build`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from orchestrator.settings import load_settings

VERSION = "v1.29.1"  # the version of the embedded server: both must behave alike
_MODULE = "go.temporal.io/server"
_COMMANDS = {"server": "cmd/server", "sql": "cmd/tools/sql"}
_BUILD_S = 3600.0


class Binaries(NamedTuple):
    """What makes a server: the server itself, and the tool that makes and upgrades its tables."""

    server: Path
    sql_tool: Path

    @property
    def found(self) -> bool:
        """Whether both are there."""
        return self.server.is_file() and self.sql_tool.is_file()


class NotBuiltError(RuntimeError):
    """There is no server to test against, and the message says how to get one."""


def cached() -> Binaries:
    """Where the binaries are, whether they have been built or not."""
    folder = load_settings().cache_dir / "temporal-server" / VERSION
    return Binaries(server=folder / "temporal-server", sql_tool=folder / "temporal-sql-tool")


def require_built() -> Binaries:
    """The binaries. Raises NotBuiltError."""
    binaries = cached()
    if not binaries.found:
        raise NotBuiltError("build the server first: python -m tests.cluster.build (or make test-cluster)")
    return binaries


def build() -> Binaries:
    """The binaries, built if they are not there: needs Go, takes some minutes. Raises NotBuiltError."""
    binaries = cached()
    if binaries.found:
        return binaries
    go = shutil.which("go")
    if go is None:
        raise NotBuiltError("Go is needed to build the Temporal server: https://go.dev/dl")
    folder = binaries.server.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as made:
        packages = [f"{_MODULE}/{path}@{VERSION}" for path in _COMMANDS.values()]
        subprocess.run([go, "install", *packages], env={**os.environ, "GOBIN": made}, timeout=_BUILD_S, check=True)
        os.replace(Path(made) / "server", binaries.server)
        os.replace(Path(made) / "sql", binaries.sql_tool)
    return binaries


def main() -> int:
    """Exit codes: 0 where the binaries are there, 1 where they cannot be built."""
    try:
        print(build().server)  # noqa: T201
    except (NotBuiltError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
