"""The background worker of the embedded mode: one per ORCH_HOME, replaced when its vendor settings change."""

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

from orchestrator.client.processes import (
    ProcessRef,
    Say,
    drain,
    exclusive,
    find_process,
    last_line,
    open_lock,
    read_record,
    recorded_process,
    spawn,
    terminate,
    try_lock,
    wait_until,
    write_atomic,
)
from orchestrator.client.server import ServerInfo
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings

WORKER_STATE = "ORCH_WORKER_STATE"
"""Environment variable of the worker: the file that `report_ready` writes."""

_CODE = ("orchestrator", "workflows", "activities", "workers")
_COMMAND = ("-P", "-m", "workers.main")  # -P: not from the folder that it runs in
_READY_S = 30.0
_STOP_S = 30.0
_PID_FILE_S = 1.0  # it is written within milliseconds of the start
_BASE_URL_SUFFIXES = ("_BASE_URL", "_AUTH_URL", "OLLAMA_HOST")


class WorkerInfo(Frozen):
    """A running worker."""

    pid: int


class _Record(Frozen):
    """worker.json: the last worker that was started, which may be dead.

    The fingerprint is salted, so that nothing about a key can be learned from it.
    """

    process: ProcessRef
    address: str
    salt: str
    fingerprint: str


class _Files:
    """Files of the worker below ORCH_HOME."""

    def __init__(self, settings: Settings) -> None:
        self.home = settings.home
        self.starting = settings.home / "worker.starting.lock"  # held by commands that start or stop it
        self.running = settings.home / "worker.lock"  # held by the worker itself
        self.record = settings.home / "worker.json"
        self.pid = settings.home / "worker.pid"
        self.log = settings.home / "worker.log"

    def state(self, salt: str) -> Path:
        """A file per worker: one that drains must not speak for its successor."""
        return self.home / f"worker.{salt[:8]}.ready"


def worker_info(settings: Settings) -> WorkerInfo | None:
    """The running worker of this ORCH_HOME, None where none runs. Takes milliseconds."""
    record = read_record(_Record, _Files(settings).record)
    return WorkerInfo(pid=record.process.pid) if record and record.process.alive else None


def ensure_worker(settings: Settings, server: ServerInfo, say: Say, *, replace: bool = True) -> WorkerInfo:
    """The running worker, started if there is none. Blocks until it polls. Concurrent callers start one.

    A worker of another server is replaced, and with `replace` one with other vendor settings too: the old one
    stops polling at once and finishes the calls it has in flight. Raises PrerequisiteError where none can be
    started.
    """
    if _fitting(settings, server, replace):
        return _info(settings)
    files = _Files(settings)
    with exclusive(files.starting, lambda: say("waiting for another command that starts the worker")):
        if not _fitting(settings, server, replace):
            _start(settings, server, say)
        return _info(settings)


def stop_worker(settings: Settings) -> bool:
    """Ends the worker; calls in flight get 30 s to finish. False where none ran."""
    files = _Files(settings)
    with exclusive(files.starting, lambda: None):
        process = _holder(files)
        if process:
            terminate(process, _STOP_S)
        return process is not None


def report_ready(state: Path) -> None:
    """Called by the worker when its pollers run, with the path in ORCH_WORKER_STATE."""
    process = find_process(os.getpid())
    if process:
        write_atomic(state, process.model_dump_json())


def _info(settings: Settings) -> WorkerInfo:
    info = worker_info(settings)
    if info is None:
        raise PrerequisiteError(f"the worker ended right after its start (log: {_Files(settings).log})")
    return info


def _fitting(settings: Settings, server: ServerInfo, replace: bool) -> bool:
    """True where a worker runs, for this server, and with these settings or any where they do not matter."""
    record = read_record(_Record, _Files(settings).record)
    if record is None or not record.process.alive or record.address != server.address:
        return False
    return not replace or record.fingerprint == _fingerprint(settings, record.salt)


def _holder(files: _Files) -> ProcessRef | None:
    """The process that holds the worker's lock, recorded or not (its starter may have been killed)."""
    lock = open_lock(files.running)
    try:
        if try_lock(lock):
            return None
    finally:
        os.close(lock)
    wait_until(lambda: recorded_process(files.pid) is not None, _PID_FILE_S)
    return recorded_process(files.pid)


def _start(settings: Settings, server: ServerInfo, say: Say) -> None:
    files = _Files(settings)
    predecessor = _holder(files)
    say("replacing the worker, which finishes its calls in flight" if predecessor else "starting the worker")
    if predecessor:
        drain(predecessor)
    for old in (files.running, *files.home.glob("worker.*.ready")):
        old.unlink(missing_ok=True)  # a draining worker keeps its lock on a file that has no name any more
    salt = secrets.token_hex(16)
    lock = open_lock(files.running)
    with open(lock, "r+b", buffering=0):
        try_lock(lock)
        reference = spawn(
            [sys.executable, *_COMMAND],
            environment=_environment(settings, server, files.state(salt)),
            folder=files.home,
            log=files.log,
            pid_file=files.pid,
            lock=lock,
        )
    if reference is None:
        raise _not_started(files)
    record = _Record(process=reference, address=server.address, salt=salt, fingerprint=_fingerprint(settings, salt))
    write_atomic(files.record, record.model_dump_json())
    _await_ready(files, reference, files.state(salt))


def _await_ready(files: _Files, process: ProcessRef, state: Path) -> None:
    """Returns when the worker polls; one that does not begin to is ended. Raises PrerequisiteError."""
    wait_until(lambda: not process.alive or read_record(ProcessRef, state) == process, _READY_S)
    if read_record(ProcessRef, state) != process:
        terminate(process, patience_s=0.0)
        raise _not_started(files)


def _not_started(files: _Files) -> PrerequisiteError:
    return PrerequisiteError(
        f"the worker did not start: {last_line(files.log) or 'it does not poll'} (log: {files.log})"
    )


def _environment(settings: Settings, server: ServerInfo, state: Path) -> dict[str, str]:
    """Ours, completed by `.env`, with the embedded server instead of any other Temporal."""
    kept = {name: value for name, value in settings.environment.items() if not name.startswith("TEMPORAL_")}
    return kept | {
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_CONFIG_FILE": os.devnull,  # a default profile may bring TLS or a key
        "ORCH_HOME": str(settings.home),
        "ORCHESTRATOR_CACHE_DIR": str(settings.cache_dir),
        "ORCH_ARTIFACTS_URL": settings.store_url,
        WORKER_STATE: str(state),
    }


def _code_version() -> int:
    """Changes when our code does: after an update a worker of the old code must not go on."""
    root = Path(__file__).resolve().parents[2]
    sources = (path for name in _CODE for path in (root / name).rglob("*.py"))
    return max(path.stat().st_mtime_ns for path in sources)


def _fingerprint(settings: Settings, salt: str) -> str:
    """Digest of everything that decides which models the worker can use, and how, and what it may deliver."""
    decisive = {
        "vendors": {
            name: (vendor.api_key.get_secret_value(), vendor.model_dump(mode="json", exclude={"api_key", "models"}))
            for name, vendor in settings.vendors.items()
        },
        "addresses": {
            name: value for name, value in settings.environment.items() if name.endswith(_BASE_URL_SUFFIXES) and value
        },
        "simulation": settings.simulation.model_dump(),
        "sandbox": settings.sandbox,
        "observation": settings.observation.model_dump(),
        "telemetry": {name: value for name, value in settings.environment.items() if name.startswith("OTEL_")},
        "delivery": (
            settings.delivery.webhook_secret.get_secret_value(),
            settings.delivery.model_dump(mode="json", exclude={"webhook_secret"}),
        ),
        "store": settings.store_url,
        "encryption": [(key.id, key.secret.get_secret_value().hex()) for key in settings.encryption.keys],
        "code": _code_version(),
    }
    return hashlib.sha256((salt + json.dumps(decisive, sort_keys=True)).encode()).hexdigest()
