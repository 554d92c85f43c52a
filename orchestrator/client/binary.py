"""Where the Temporal binary comes from: configured, installed, cached, downloaded or built."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.client.processes import Say
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings

CLI_VERSION = "v1.5.1"

_GO_MODULE = f"github.com/temporalio/cli/cmd/temporal@{CLI_VERSION}"
_HOW_TO_GET_IT = (
    "install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH, "
    "or set ORCH_TEMPORAL_BIN to its path"
)
_VERSION_S = 20.0
_BUILD_S = 1800.0
_FIRST_BYTE_S = 4.0  # a download that has not begun by then is taken for offline
_STALLED_S = 15.0
_SERVER_VERSION = re.compile(r"\(Server ([0-9A-Za-z.+-]+)")


def find_temporal(settings: Settings, say: Say) -> Path:
    """A `temporal` binary that runs.

    Order: ORCH_TEMPORAL_BIN, PATH, our cache, the SDK's download, `go install`; the last two fill the cache
    and tell so through `say`. Raises PrerequisiteError that says how to get it.
    """
    if settings.temporal_bin:
        configured = Path(settings.temporal_bin).expanduser().absolute()
        if server_version(configured) is None:
            raise PrerequisiteError(f"ORCH_TEMPORAL_BIN={settings.temporal_bin}: no Temporal CLI runs there")
        return configured
    on_path = shutil.which("temporal", path=settings.environment.get("PATH"))
    if on_path and server_version(Path(on_path)) is not None:
        return Path(on_path).absolute()
    cached = settings.cache_dir / "temporal" / CLI_VERSION / "temporal"
    if cached.is_file() and server_version(cached) is not None:
        return cached
    for get in (_download, _build):
        if get(settings, cached, say):
            return cached
    raise PrerequisiteError(f"no Temporal server here, and it could not be fetched: {_HOW_TO_GET_IT}")


def server_version(binary: Path) -> str | None:
    """Version of the server in the binary, None where it is not a Temporal CLI that runs here."""
    try:
        answer = subprocess.run(
            [str(binary), "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_S,
            stdin=subprocess.DEVNULL,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = _SERVER_VERSION.search(answer)
    return found[1] if found else None


def keyless_environment(settings: Settings) -> dict[str, str]:
    """The environment for other people's programs: without the keys of vendors and of Temporal, and without ours."""
    secret = {name for vendor in settings.definitions.values() for name in vendor.key_names}
    return {
        name: value
        for name, value in settings.environment.items()
        if name not in secret and not name.startswith(("TEMPORAL_", "ORCH_"))
    }


def _download(settings: Settings, cached: Path, say: Say) -> bool:
    """The SDK's own download, in a process that is ended as soon as nothing arrives any more."""
    with _workshop(cached) as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.client.download", folder, CLI_VERSION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=keyless_environment(settings),
            start_new_session=True,
        )
        try:
            _watch_download(process, Path(folder), say)
        finally:
            _end_group(process)
        candidates = [path for path in Path(folder).iterdir() if path.is_file() and os.access(path, os.X_OK)]
        return any(_adopt(candidate, cached) for candidate in candidates)


def _watch_download(process: "subprocess.Popen[bytes]", folder: Path, say: Say) -> None:
    """Returns when the download ended, did not begin in time, or stalled."""
    size, deadline = 0, time.monotonic() + _FIRST_BYTE_S
    while process.poll() is None and time.monotonic() < deadline:
        now = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        if now > size:
            if size == 0:
                say("downloading the Temporal server (once)")
            size, deadline = now, time.monotonic() + _STALLED_S
        time.sleep(0.05)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ends the downloader and the server that it may have started for a moment."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _build(settings: Settings, cached: Path, say: Say) -> bool:
    go = shutil.which("go", path=settings.environment.get("PATH"))
    if go is None:
        return False
    say("building the Temporal server with Go (once, takes some minutes)")
    with _workshop(cached) as folder:
        try:
            subprocess.run(
                [go, "install", _GO_MODULE],
                env=keyless_environment(settings) | {"GOBIN": folder},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_BUILD_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            say(f"go install failed: {lines[-1][:200] if lines else error.returncode}")
            return False
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"go install failed: {type(error).__name__}")
            return False
        return _adopt(Path(folder) / "temporal", cached)


def _workshop(cached: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder beside the cached binary, so that the finished one gets there by rename."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cached.parent, prefix=".new-")
    except OSError as error:
        raise PrerequisiteError(
            f"{cached.parent}: {error.strerror}; set ORCHESTRATOR_CACHE_DIR to a folder of yours"
        ) from error


def _adopt(candidate: Path, cached: Path) -> bool:
    if server_version(candidate) is None:
        return False
    os.replace(candidate, cached)
    return True
