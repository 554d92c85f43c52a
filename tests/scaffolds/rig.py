"""Installs and runs rendered scaffolds as a reader of their README would, apart from this project's environment.

Downloads, and the installed packages of Node, are kept below the cache folder by what was asked for: an environment
is made anew for each test, what it is made of is fetched once.
"""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

UV = "uv==0.13.8"
COMMAND_S = 300
CACHE = Path(os.environ.get("ORCHESTRATOR_CACHE_DIR", Path.home() / ".cache/orch")) / "scaffold-tests"
_PIP = "python -m pip install"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class CommandError(AssertionError):
    """A command of a README failed. The message holds the end of what it said."""


class Software:
    """One rendered scaffold in a folder with a virtual environment of its own."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self.folder = folder
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        self._environment = kept | {
            "PATH": f"{folder / '.venv/bin'}:{os.environ['PATH']}",
            "UV_CACHE_DIR": str(CACHE / "uv-cache"),
            "npm_config_cache": str(CACHE / "npm-cache"),
            "MYPY_CACHE_DIR": str(CACHE / "mypy"),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
        }

    def commands(self, section: str) -> list[str]:
        """The commands of a section of the README; none where there is no such section."""
        text = (self.folder / "README.md").read_text("utf-8")
        found = re.search(rf"^## {section}\n\n```sh\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL)
        return found[1].splitlines() if found else []

    def run(self, command: str, *more: str) -> str:
        """What a command printed. Raises CommandError where it fails."""
        words = [*shlex.split(command), *more]
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(
                f"{shlex.join(words)}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return done.stdout

    def install(self) -> None:
        """Run the install section: pip's work is done by uv, npm's once for each lock."""
        self.uv(f"venv --quiet --python {sys.executable} .venv")
        for command in self.commands("Install"):
            if command == "npm ci":
                self._install_node()
            elif command.startswith("npm "):
                self.run(f"{command} --no-audit --no-fund --prefer-offline")
            else:
                assert command.startswith(_PIP)
                self.uv(f"pip install --quiet --python .venv/bin/python{command.removeprefix(_PIP)}")

    def uv(self, arguments: str) -> str:
        """What uv printed."""
        return self.run(f"{shlex.quote(_uv())} {arguments}")

    def add(self, *requirements: str) -> None:
        """Install these into the environment too."""
        self.run(f"{_uv()} pip install --quiet --python .venv/bin/python", *requirements)

    def _install_node(self) -> None:
        manifests = [(self.folder / name).read_bytes() for name in ("package.json", "package-lock.json")]
        stored = CACHE / "node" / hashlib.sha256(b"\0".join(manifests)).hexdigest()[:16]
        if not stored.exists():
            self.run("npm ci --no-audit --no-fund --prefer-offline")
            stored.parent.mkdir(parents=True, exist_ok=True)
            draft = stored.with_name(f"{stored.name}.{os.getpid()}")
            shutil.copytree(self.folder / "node_modules", draft, symlinks=True)
            draft.rename(stored)
        else:
            shutil.copytree(stored, self.folder / "node_modules", symlinks=True, copy_function=os.link)

    @contextmanager
    def serving(self, command: str) -> Iterator[str]:
        """The address at which a server answers, started by its command on a free port; it ends with the block."""
        process = subprocess.Popen(
            shlex.split(re.sub(r"\b(8000|3000)\b", "0", command)),
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout
            said = ""
            while line := process.stdout.readline():
                said += line
                if found := _ADDRESS.search(line):
                    yield found[0]
                    return
            raise CommandError(f"{command} ended without an address:\n{said[-4000:]}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def get(address: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@cache
def _uv() -> str:
    """The path of uv: the one on the PATH, or one that pip installs below the cache folder."""
    if found := shutil.which("uv"):
        return found
    folder = CACHE / UV
    if not (folder / "bin/uv").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), UV]
        subprocess.run(command, check=True, timeout=COMMAND_S)
    return str(folder / "bin/uv")
