"""The real command line in a home of its own: for tests and benchmarks that need whole processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.client.processes import wait_until
from orchestrator.client.server import server_info, stop_server
from orchestrator.client.worker_process import stop_worker, worker_info
from orchestrator.settings import Settings, load_settings
from orchestrator.testing.vendor_records import VendorLog
from orchestrator.testing.vendor_server import environment

COMMAND = (sys.executable, "-P", "-m", "cli.main")
_FOREIGN_PREFIXES = ("ORCH_SIM_", "TEMPORAL_", "PYTHONDONTWRITE")  # users have byte code: starts take half as long
_FOREIGN_SUFFIXES = ("_API_KEY", "_BASE_URL", "_AUTH_URL", "_IAM_TOKEN", "_FOLDER_ID")


class Outcome(NamedTuple):
    """How a command ended."""

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


class Command:
    """A command under way. Its output goes to files, so that nobody has to read along."""

    def __init__(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        number = len(list(folder.glob("command-*.out")))
        self._out, self._err = folder / f"command-{number}.out", folder / f"command-{number}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=dict(variables),
            )

    @property
    def err(self) -> str:
        """Progress so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    def wait(self, timeout_s: float = 240.0) -> Outcome:
        """The outcome; a command that does not end in time is killed and raises subprocess.TimeoutExpired."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return Outcome(code, self._out.read_text(encoding="utf-8"), self.err)

    def kill(self) -> None:
        """kill -9."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


class Installation:
    """An ORCH_HOME below `folder`, without any key but those in `extra`. `close` ends what runs in it."""

    namespace = "default"
    next_call_s = 6.0  # after a kill: from the return of what was killed to the next request

    def __init__(self, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "orch-home"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_FOREIGN_PREFIXES) and not name.endswith(_FOREIGN_SUFFIXES)
        }
        self.environment = {**kept, "ORCH_HOME": str(self.home), **(extra or {})}

    @property
    def settings(self) -> Settings:
        """What the commands are configured with."""
        return load_settings(self.environment, self.folder)

    def begin(self, *arguments: str, extra: Mapping[str, str] | None = None) -> Command:
        """Start a command; the caller waits for it or kills it."""
        return Command(arguments, self.folder, {**self.environment, **(extra or {})})

    def run(self, *arguments: str, extra: Mapping[str, str] | None = None, timeout_s: float = 240.0) -> Outcome:
        """Run a command to its end."""
        return self.begin(*arguments, extra=extra).wait(timeout_s)

    def worker_pid(self) -> int | None:
        """The worker that is recorded and alive."""
        info = worker_info(self.settings)
        return info.pid if info else None

    def server_pid(self) -> int | None:
        """The Temporal server that is recorded and alive, whether it answers or not."""
        with suppress(OSError, ValueError, KeyError):
            record = json.loads((self.home / "temporal" / "server.json").read_text(encoding="utf-8"))
            pid = int(record["process"]["pid"])
            os.kill(pid, 0)
            return pid
        return None

    def temporal_address(self) -> str:
        """host:port of the running server, empty where none answers."""
        info = server_info(self.settings)
        return info.address if info else ""

    def restarted_s(self, victim: str) -> float:
        """When the last of the killed processes was back: `worker`, `server`, or both of them."""
        times = [path.stat().st_mtime for path in self.home.glob("worker.*.ready")] if victim != "server" else []
        if victim != "worker":
            times.append((self.home / "temporal" / "server.json").stat().st_mtime)
        return max(times)

    def close(self) -> None:
        """End the worker at once, then the server."""
        worker = self.worker_pid()
        if worker:
            kill_process(worker)
        stop_worker(self.settings)
        stop_server(self.settings)


Installed = Callable[[Path, Mapping[str, str]], Installation]
"""Makes an installation: embedded, or one that uses a cluster."""


class VendorProcess:
    """The fake vendor server as a process of its own, playing the script of a file, with a log of its requests."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.log = VendorLog(folder / "vendors.log")
        port_file = folder / "vendors.port"
        options = ("--port-file", str(port_file), "--script", str(script), "--log", str(self.log.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrator.testing.vendor_server", *options],
            stdin=subprocess.DEVNULL,
        )
        if not wait_until(port_file.exists, 30.0):
            self.close()
            raise TimeoutError("the fake vendor server did not start")
        self.port = int(port_file.read_text(encoding="utf-8"))

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def environment(self, vendors: Sequence[str] = ("openai", "anthropic", "google")) -> dict[str, str]:
        """Variables that give each of `vendors` a key and this address."""
        return environment(self.port, vendors)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def kill_process(pid: int) -> None:
    """kill -9; returns when the process is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not _runs(pid), 5.0)


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"
