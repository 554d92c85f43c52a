"""A home of its own for each test that needs one; what runs in it is stopped afterwards."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.client.server import ServerInfo, ensure_server, stop_server
from orchestrator.client.worker_process import stop_worker
from orchestrator.settings import Settings, load_settings

MakeSettings = Callable[..., Settings]


def installed_temporal() -> str:
    """The binary that a developer has: configured, on PATH or where `go install` puts it; empty if none."""
    configured = os.environ.get("ORCH_TEMPORAL_BIN") or shutil.which("temporal")
    if configured:
        return configured
    if shutil.which("go") is None:
        return ""
    folder = subprocess.run(
        ["go", "env", "GOPATH"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": os.path.expanduser(f"~{os.environ.get('USER', '')}")},
    ).stdout.strip()
    built = Path(folder) / "bin" / "temporal"
    return str(built) if built.is_file() else ""


def settings_at(home: Path, **environment: str) -> Settings:
    """Settings of a user whose state is in `home`."""
    base = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "ORCH_HOME": str(home),
        "ORCH_TEMPORAL_BIN": installed_temporal(),
        "ORCHESTRATOR_CACHE_DIR": os.environ["ORCHESTRATOR_CACHE_DIR"],
    }
    return load_settings(base | environment, folder=home.parent)


@pytest.fixture
def make_settings(tmp_path: Path) -> Iterator[MakeSettings]:
    """Makes settings of one home, with more environment."""
    home = tmp_path / "home"

    def make(**environment: str) -> Settings:
        return settings_at(home, **environment)

    yield make
    stop_worker(make())
    stop_server(make())


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerInfo]:
    """One server for tests that only talk to it."""
    settings = settings_at(tmp_path_factory.mktemp("shared") / "home")
    yield ensure_server(settings, lambda line: None)
    stop_server(settings)
