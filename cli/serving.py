"""The work of `server up|status|down`."""

from typing import Any

from cli.console import columns, say, show, show_json
from orchestrator.client.server import ServerInfo, ensure_server, server_info, stop_server
from orchestrator.client.worker_process import ensure_worker, stop_worker, worker_info
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings, load_settings


def server_up(*, json_output: bool) -> int:
    """Start server and worker where they do not run. Raises PrerequisiteError, UserInputError."""
    settings = load_settings()
    _refuse_configured(settings)
    server = ensure_server(settings, say)
    ensure_worker(settings, server, say)
    _present(settings, json_output)
    return 0


def server_status(*, json_output: bool) -> int:
    """Show what runs; 0 even where nothing does."""
    settings = load_settings()
    if not settings.embedded:
        say(f"{_configured(settings)} is used as it is; below is what this machine runs by itself.")
    _present(settings, json_output)
    return 0


def server_down(*, json_output: bool) -> int:
    """Stop worker and server."""
    settings = load_settings()
    stop_worker(settings)
    stop_server(settings)
    _present(settings, json_output)
    return 0


def _present(settings: Settings, json_output: bool) -> None:
    server, worker = server_info(settings), worker_info(settings)
    if json_output:
        value: dict[str, Any] = {
            "server": _server_object(server),
            "worker": {"pid": worker.pid} if worker else None,
        }
        show_json(value)
        return
    rows: list[tuple[str, ...]] = [("server", "not running")]
    if server:
        rows = [
            ("server", f"{server.address} (Temporal {server.version}, pid {server.pid})"),
            ("web ui", server.ui_url),
        ]
    rows.append(("worker", f"running (pid {worker.pid})" if worker else "not running"))
    for line in columns(rows, indent=""):
        show(line)


def _server_object(server: ServerInfo | None) -> dict[str, Any] | None:
    if server is None:
        return None
    return {
        "pid": server.pid,
        "address": server.address,
        "ui_url": server.ui_url,
        "version": server.version,
    }


def _configured(settings: Settings) -> str:
    if settings.temporal_address:
        return f"Temporal at {settings.temporal_address} (TEMPORAL_ADDRESS)"
    return f"Temporal of profile {settings.temporal_profile} (TEMPORAL_PROFILE)"


def _refuse_configured(settings: Settings) -> None:
    if not settings.embedded:
        raise UserInputError(
            f"{_configured(settings)} is configured, so nothing is started here; unset it for a local server"
        )
