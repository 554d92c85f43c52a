"""Runs package installers: with the network, without keys, within limits, and never with foreign code."""

import asyncio
import fcntl
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.errors import PrerequisiteError

TIMEOUT_S = 600.0
MAX_BYTES = 3 * 1024**3  # of one environment
_FREE_BYTES = 1024**3  # left on the disk, whatever an installer wants
_LOOK_EVERY_S = 0.5
_LOCK_EVERY_S = 0.05
_OUTPUT_BYTES = 1024 * 1024
_PASSED_ON = ("PIP_", "UV_", "SSL_", "NPM_CONFIG_", "npm_config_")
_PASSED_ON_NAMES = {
    "PATH", "HOME", "TMPDIR", "LANG", "XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy",
}  # fmt: skip
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")
_TOKEN = re.compile(r"(?i)((?:_authToken|_auth|_password|token|password)\s*[=:]\s*)\S+")


@dataclass(frozen=True)
class Installed:
    """How an installer ended; its output without credentials."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """What it had to say, its errors first."""
        return self.stderr.strip() or self.stdout.strip()


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """What an installer gets of our environment: the way to its index, and no key of ours."""
    return {
        name: value for name, value in environment.items() if name.startswith(_PASSED_ON) or name in _PASSED_ON_NAMES
    }


async def install(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    stdin: bytes = b"",
    timeout_s: float = TIMEOUT_S,
) -> Installed:
    """Run an installer in `folder`; its whole process group is gone when this returns or is cancelled.

    Raises PrerequisiteError where it takes too long or leaves too little of the disk.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        umask=0o022,  # an unprivileged user reads what it writes
    )
    talk = asyncio.ensure_future(process.communicate(stdin))
    try:
        stdout, stderr = await _watched(talk, folder, timeout_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.gather(talk, return_exceptions=True)
    said = [without_credentials(data[-_OUTPUT_BYTES:].decode(errors="replace")) for data in (stdout, stderr)]
    return Installed(process.returncode or 0, *said)


async def _watched(talk: asyncio.Future[tuple[bytes, bytes]], folder: Path, timeout_s: float) -> tuple[bytes, bytes]:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        done, _ = await asyncio.wait({talk}, timeout=_LOOK_EVERY_S)
        if done:
            return talk.result()
        if asyncio.get_running_loop().time() > deadline:
            raise PrerequisiteError(f"the installation took over {timeout_s:.0f} s: does the package index answer?")
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < _FREE_BYTES:
            raise PrerequisiteError("the installation was stopped: less than 1 GiB of the disk is left")


def without_credentials(text: str) -> str:
    """What an installer said, without the user name and password of any address."""
    return _TOKEN.sub(r"\1***", _CREDENTIALS.sub("", text))


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`; links count as themselves."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(parent, name)).st_size
    return total


@asynccontextmanager
async def folder_lock(path: Path) -> AsyncIterator[None]:
    """Exclusive over processes and within this one; freed by the system if the holder dies."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOCK_EVERY_S)
        yield


async def ready(root: Path, there: Callable[[], bool], build: Callable[[], Awaitable[bool]]) -> bool:
    """Whether the environment at `root` is `there`, after the one `build` of all processes; its time of use is now.

    Raises PrerequisiteError where the folder cannot be written.
    """
    if there():
        os.utime(root)
        return True
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        async with folder_lock(root.parent / f"{root.name}.lock"):
            return there() or await build()
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write environments below {root.parent}: {error.strerror}; "
            "set ORCHESTRATOR_CACHE_DIR to a folder that can be written"
        ) from error


def remove(folder: Path) -> None:
    """Delete a folder that may hold read-only parts, if it exists."""
    if folder.exists():
        shutil.rmtree(folder)
