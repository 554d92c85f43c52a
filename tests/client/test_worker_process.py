"""The background worker: one per home, replaced when its vendor settings change. With a stub as the worker."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.client.processes import process_start, wait_until
from orchestrator.client.server import ServerInfo
from orchestrator.client.worker_process import ensure_worker, stop_worker, worker_info
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings
from tests.client.conftest import MakeSettings

SERVER = ServerInfo(pid=1, address="127.0.0.1:1", ui_url="", version="1")
OTHER_SERVER = SERVER.model_copy(update={"address": "127.0.0.1:2"})

# Says that it is ready, keeps its environment for us, and after SIGTERM drains for as long as `draining` is there.
_STUB = """
import json, os, pathlib, signal, time
from orchestrator.client.worker_process import report_ready
here = pathlib.Path(os.environ["STUB_FOLDER"])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
(here / f"environment-{os.getpid()}").write_text(json.dumps(dict(os.environ)))
if (here / "broken").exists():
    raise SystemExit("no module named something")
report_ready(pathlib.Path(os.environ["ORCH_WORKER_STATE"]))
while not stop:
    time.sleep(0.01)
(here / f"stopping-{os.getpid()}").touch()
while (here / "draining").exists():
    time.sleep(0.01)
"""


@pytest.fixture
def folder(tmp_path: Path, make_settings: MakeSettings) -> Path:
    """Where the stub lies and what it writes."""
    stub = tmp_path / "stub" / "workers"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (stub / "main.py").write_text(_STUB)
    return stub.parent


def settings_for(make_settings: MakeSettings, folder: Path, **environment: str) -> Settings:
    return make_settings(PYTHONPATH=str(folder), STUB_FOLDER=str(folder), **environment)


def ensure(settings: Settings, server: ServerInfo = SERVER, replace: bool = True) -> int:
    return ensure_worker(settings, server, lambda line: None, replace=replace).pid


def environment_of(folder: Path, pid: int) -> dict[str, str]:
    found = json.loads((folder / f"environment-{pid}").read_text())
    return {str(name): str(value) for name, value in found.items()}


def ended(pid: int) -> bool:
    return wait_until(lambda: process_start(pid) is None, 10)


def test_callers_at_once_get_the_same_worker(make_settings: MakeSettings, folder: Path) -> None:
    settings = settings_for(make_settings, folder)
    with ThreadPoolExecutor(8) as pool:
        pids = set(pool.map(lambda _: ensure(settings), range(8)))
    assert len(pids) == len(list(folder.glob("environment-*"))) == 1
    running = worker_info(settings)
    assert running is not None
    assert running.pid in pids


def test_a_dead_worker_is_noticed_and_started_again(make_settings: MakeSettings, folder: Path) -> None:
    settings = settings_for(make_settings, folder)
    first = ensure(settings)
    os.kill(first, signal.SIGKILL)
    assert ended(first)
    assert worker_info(settings) is None
    assert ensure(settings) != first


def test_other_keys_replace_it_while_it_drains(make_settings: MakeSettings, folder: Path) -> None:
    (folder / "draining").touch()
    first = ensure(settings_for(make_settings, folder))
    keyed = settings_for(make_settings, folder, OPENAI_API_KEY="sk-one")
    second = ensure(keyed)
    assert second != first
    assert wait_until((folder / f"stopping-{first}").exists, 10)
    assert process_start(first) is not None  # its calls in flight are not cut off
    assert ensure(keyed) == second
    (folder / "draining").unlink()
    assert ended(first)
    assert process_start(second) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"OPENAI_API_KEY": "sk-two"},
        {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
        {"ORCH_SIM_SEED": "7"},
        {"ORCH_SANDBOX": "unsafe"},
        {"ORCH_ARTIFACTS_URL": "file:///tmp/elsewhere"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_decisive_setting_counts(make_settings: MakeSettings, folder: Path, change: dict[str, str]) -> None:
    before = {"OPENAI_API_KEY": "sk-one", "ANTHROPIC_API_KEY": "sk-three"}
    first = ensure(settings_for(make_settings, folder, **before))
    assert ensure(settings_for(make_settings, folder, **before, EDITOR="vi")) == first
    assert ensure(settings_for(make_settings, folder, **(before | change))) != first


def test_a_command_that_only_looks_keeps_a_worker_with_other_keys(make_settings: MakeSettings, folder: Path) -> None:
    first = ensure(settings_for(make_settings, folder, OPENAI_API_KEY="sk-one"))
    keyless = settings_for(make_settings, folder)
    assert ensure(keyless, replace=False) == first
    assert ensure(keyless, OTHER_SERVER, replace=False) != first


def test_it_gets_the_embedded_server_and_nothing_of_another(make_settings: MakeSettings, folder: Path) -> None:
    settings = settings_for(
        make_settings, folder, TEMPORAL_API_KEY="cloud", TEMPORAL_TLS="true", OPENAI_API_KEY="sk-one"
    )
    seen = environment_of(folder, ensure(settings))
    assert seen["TEMPORAL_ADDRESS"] == SERVER.address
    assert seen["TEMPORAL_CONFIG_FILE"] == os.devnull
    assert "TEMPORAL_API_KEY" not in seen
    assert "TEMPORAL_TLS" not in seen
    assert seen["OPENAI_API_KEY"] == "sk-one"
    assert (seen["ORCH_HOME"], seen["ORCH_ARTIFACTS_URL"]) == (str(settings.home), settings.store_url)


def test_no_key_is_in_any_file(make_settings: MakeSettings, folder: Path) -> None:
    settings = settings_for(make_settings, folder, OPENAI_API_KEY="sk-very-secret")
    ensure(settings)
    written = [path for path in settings.home.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"sk-very-secret" in path.read_bytes()]


def test_one_that_cannot_start_is_an_error_with_its_last_words(make_settings: MakeSettings, folder: Path) -> None:
    (folder / "broken").touch()
    settings = settings_for(make_settings, folder)
    with pytest.raises(PrerequisiteError, match="no module named something"):
        ensure(settings)
    assert worker_info(settings) is None


def test_stopping(make_settings: MakeSettings, folder: Path) -> None:
    settings = settings_for(make_settings, folder)
    assert not stop_worker(settings)
    pid = ensure(settings)
    assert stop_worker(settings)
    assert process_start(pid) is None
    assert worker_info(settings) is None
