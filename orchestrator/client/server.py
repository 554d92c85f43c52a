"""The embedded Temporal server: one per ORCH_HOME, shared by all commands, outliving each of them."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

from orchestrator.client.binary import find_temporal, keyless_environment, server_version
from orchestrator.client.processes import (
    ProcessRef,
    Say,
    exclusive,
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
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings

_HOST = "127.0.0.1"
_START_S = 30.0
_STOP_S = 5.0
_HEALTH_S = 0.5
_BUSY_S = 10.0  # a server that runs but does not answer for so long is replaced
_ATTEMPTS = 3

# By default each history queue is polled 20 times a second: every dispatch waits 45 ms. The rest spares one
# shard on one SQLite file partitions and a flush to the disk per transaction (it survives kill -9).
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    "history.outboundProcessorMaxPollRPS=2000",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "system.enableActivityEagerExecution=true",
)
_PRAGMAS = ("journal_mode=wal", "synchronous=normal")


class ServerInfo(Frozen):
    """A running server. `address` is host:port of the frontend, `version` that of the server."""

    pid: int
    address: str
    ui_url: str
    version: str


class _Record(Frozen):
    """server.json: the last server that was started, which may be dead. Its ports are used again."""

    process: ProcessRef
    version: str
    port: int
    http_port: int
    ui_port: int

    def info(self) -> ServerInfo:
        return ServerInfo(
            pid=self.process.pid,
            address=f"{_HOST}:{self.port}",
            ui_url=f"http://{_HOST}:{self.ui_port}",
            version=self.version,
        )


class _Folder:
    """Files of the server below ORCH_HOME; the database's own folder carries the server's version."""

    def __init__(self, settings: Settings, version: str = "") -> None:
        root = settings.home / "temporal"
        self.starting = root / "starting.lock"  # held while a command starts or stops the server
        self.running = root / "server.lock"  # held by the server itself
        self.record = root / "server.json"
        self.pid = root / "server.pid"
        self.log = root / "server.log"
        self.data = root / version  # a new version does not migrate an old file
        self.database = self.data / "temporal.db"
        self.unfinished = self.data / "unfinished"  # there until the first start on this database succeeded


def server_info(settings: Settings) -> ServerInfo | None:
    """The running server of this ORCH_HOME, None where none answers. Takes milliseconds."""
    return _running(settings, patience_s=0.0)


def ensure_server(
    settings: Settings, say: Say, launched: Callable[[ServerInfo], None] = lambda server: None
) -> ServerInfo:
    """The running server, started if there is none. Blocks; concurrent callers start exactly one.

    `launched` is told of a server that was started and does not answer yet; once more where that one failed.
    Raises PrerequisiteError where no server can be had.
    """
    running = server_info(settings)
    if running:
        return running
    with exclusive(
        _Folder(settings).starting, lambda: say("waiting for another command that starts the Temporal server")
    ):
        return _running(settings, patience_s=_BUSY_S) or _start(settings, say, launched)


def stop_server(settings: Settings) -> bool:
    """Ends the server; its database stays. False where none ran."""
    folder = _Folder(settings)
    with exclusive(folder.starting, lambda: None):
        lock = open_lock(folder.running)
        with open(lock, "r+b", buffering=0):
            if try_lock(lock):
                return False
            _end_holder(settings, lock)
            return True


def _running(settings: Settings, patience_s: float) -> ServerInfo | None:
    record = read_record(_Record, _Folder(settings).record)
    if record is None or not record.process.alive:
        return None
    answered = wait_until(lambda: not record.process.alive or _answers(record.http_port), patience_s)
    return record.info() if answered and record.process.alive else None


def _start(settings: Settings, say: Say, launched: Callable[[ServerInfo], None]) -> ServerInfo:
    binary = find_temporal(settings, say)
    version = server_version(binary) or "unknown"
    folder = _Folder(settings, version)
    folder.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    say("starting the Temporal server")
    lock = open_lock(folder.running)
    with open(lock, "r+b", buffering=0):
        if not try_lock(lock):
            _end_holder(settings, lock)
        previous = read_record(_Record, folder.record)
        for attempt in range(_ATTEMPTS):
            _prepare_database(folder)
            ports = _ports(previous if attempt == 0 else None)
            record = _launch(settings, folder, binary, version, ports, lock)
            if record:
                launched(record.info())
            if record and _ready(record, folder):
                folder.unfinished.unlink(missing_ok=True)
                write_atomic(folder.record, record.model_dump_json())
                return record.info()
            if "address already in use" not in last_line(folder.log):
                break
    raise PrerequisiteError(
        f"the Temporal server did not start: {last_line(folder.log) or 'no answer'} (log: {folder.log})"
    )


def _end_holder(settings: Settings, lock: int) -> None:
    """Ends the server that holds the lock, known by its pid file, and takes the lock."""
    folder = _Folder(settings)

    def ended() -> bool:
        holder = recorded_process(folder.pid)
        if holder:
            terminate(holder, _STOP_S)
        return try_lock(lock)

    if not wait_until(ended, 10.0):
        raise PrerequisiteError(f"{folder.running} is held by an unknown process; end it and try again")


def _prepare_database(folder: _Folder) -> None:
    """Removes what a first start left half-made, since the schema is made only where there is no file."""
    if folder.unfinished.exists():
        for path in folder.data.glob("temporal.db*"):
            path.unlink()
    if not folder.database.exists():
        folder.unfinished.touch()


def _launch(
    settings: Settings, folder: _Folder, binary: Path, version: str, ports: tuple[int, int, int], lock: int
) -> _Record | None:
    """One start. None where the process ended by itself."""
    port, http_port, ui_port = ports
    reference = spawn(
        _command(binary, folder, ports),
        environment=keyless_environment(settings),
        folder=folder.data,
        log=folder.log,
        pid_file=folder.pid,
        lock=lock,
    )
    if reference is None:
        return None
    return _Record(process=reference, version=version, port=port, http_port=http_port, ui_port=ui_port)


def _ready(record: _Record, folder: _Folder) -> bool:
    """Waits for a server that was launched. False where it ended; PrerequisiteError where it never became ready."""
    process = record.process
    answered = wait_until(lambda: not process.alive or _answers(record.http_port), _START_S)
    if not process.alive:
        return False
    try:
        if not answered:
            raise PrerequisiteError(f"the Temporal server does not answer (log: {folder.log})")
        _set_up_namespace(f"{_HOST}:{record.port}")
    except PrerequisiteError:
        terminate(process, _STOP_S)
        raise
    return True


def _command(binary: Path, folder: _Folder, ports: tuple[int, int, int]) -> list[str]:
    port, http_port, ui_port = ports
    command = [str(binary), "server", "start-dev", "--ip", _HOST, "--port", str(port)]
    command += ["--http-port", str(http_port), "--ui-port", str(ui_port)]
    command += ["--db-filename", str(folder.database)]
    command += [piece for pragma in _PRAGMAS for piece in ("--sqlite-pragma", pragma)]
    command += [piece for value in _DYNAMIC_CONFIG for piece in ("--dynamic-config-value", value)]
    return command


def _set_up_namespace(address: str) -> None:
    import asyncio

    from orchestrator.client.namespace import set_up_embedded

    asyncio.run(set_up_embedded(address))


def _ports(previous: _Record | None) -> tuple[int, int, int]:
    """Ports of frontend, HTTP and UI: the previous ones where free, so that clients find the server again."""
    wanted = (previous.port, previous.http_port, previous.ui_port) if previous else (0, 0, 0)
    sockets = [_bound(port) for port in wanted]
    ports = [int(bound.getsockname()[1]) for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports[0], ports[1], ports[2]


def _bound(port: int) -> socket.socket:
    """A socket bound to the port, or to a free one where it is taken."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_HOST, port))
    except OSError:
        bound.bind((_HOST, 0))
    return bound


def _answers(http_port: int) -> bool:
    """True where the default namespace can be used. Over HTTP, since gRPC would have to be loaded first."""
    connection = http.client.HTTPConnection(_HOST, http_port, timeout=_HEALTH_S)
    try:
        connection.request("GET", "/api/v1/namespaces/default")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
