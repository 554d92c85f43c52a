"""A private PostgreSQL for one session of tests: the installed programs, a folder of its own, a free port."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from orchestrator.client.processes import last_line, wait_until
from tests.cluster.build import NotBuiltError
from tests.cluster.kept import Kept, Program
from tests.cluster.ports import free_ports

HOST = "127.0.0.1"
ADMIN = "temporal"
_DEBIAN = Path("/usr/lib/postgresql")
_READY_S = 60.0


class Postgres:
    """A running PostgreSQL, as a distribution configures it; only connections are allowed more."""

    def __init__(self, folder: Path) -> None:
        """Raises NotBuiltError where it is not installed or does not start."""
        self._programs = _programs()
        self._user = _unprivileged()
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self.port = free_ports(1)[0]
        self.password = secrets.token_hex(16)
        self._prepare()
        self.process = Kept(
            Program(
                command=(
                    str(self._programs / "postgres"), "-D", str(self._data), "-h", HOST, "-p", str(self.port),
                    "-k", str(folder), "-c", "max_connections=300",
                ),
                folder=folder,
                log=self._log,
                environment={"LANG": "C.UTF-8", "PATH": os.environ["PATH"]},
                stop=signal.SIGINT,  # ends without waiting for its clients
                user=self._user,
            )
        )  # fmt: skip
        if not self.wait_ready(_READY_S):
            self.process.close()
            raise NotBuiltError(f"PostgreSQL does not start: {last_line(self._log)}")

    def wait_ready(self, timeout_s: float) -> bool:
        """Blocks until connections are accepted; False where that takes longer."""
        check = [str(self._programs / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port), "-d", "postgres"]
        return wait_until(lambda: subprocess.run(check, check=False).returncode == 0, timeout_s)

    def query(self, database: str, statement: str) -> str:
        """What a statement gives, unaligned, as `psql` prints it."""
        command = [str(self._programs / "psql"), "-X", "-A", "-t", "-q", "-h", HOST, "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", ADMIN, "-d", database, "-c", statement],
            env={"PGPASSWORD": self.password, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def dump(self, database: str) -> bytes:
        """The whole database as SQL."""
        command = [str(self._programs / "pg_dump"), "-h", HOST, "-p", str(self.port), "-U", ADMIN, database]
        environment = {"PGPASSWORD": self.password, "PATH": os.environ["PATH"]}
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    def close(self) -> None:
        """End it."""
        self.process.close()

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        password_file = self._folder / "password"
        password_file.write_text(self.password, encoding="utf-8")
        if self._user:
            shutil.chown(self._folder, self._user)
            shutil.chown(password_file, self._user)
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", ADMIN, "-E", "UTF8", "--no-sync"]
        subprocess.run(
            [*command, "--auth=scram-sha-256", f"--pwfile={password_file}", "--locale=C.UTF-8"],
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        password_file.unlink()


def _programs() -> Path:
    """The folder of initdb and postgres: Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for folder in candidates:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise NotBuiltError("PostgreSQL is needed: apt-get install postgresql")


def _unprivileged() -> str | None:
    """Who PostgreSQL runs as: itself where we are root, whom it refuses; None for us."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise NotBuiltError("PostgreSQL refuses root: install it as a package, which makes its user") from None
