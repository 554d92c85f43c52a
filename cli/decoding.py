"""The work of `codec-server`."""

import re
import socket
import ssl
from collections.abc import Sequence

from cli.console import say
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.settings import Settings, load_settings
from orchestrator.settings.encryption import CODEC_TOKEN, ENCRYPTION_KEYS
from orchestrator.settings.observation import host_and_port

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)
_LOCAL = ("127.0.0.1", "::1", "localhost")


def serve_codec(origins: Sequence[str], address: str, cert: str | None, key: str | None) -> int:
    """Serve until SIGINT or SIGTERM. Raises UserInputError, PrerequisiteError where the address cannot be used."""
    settings = load_settings()
    token = settings.codec_token.get_secret_value()
    if not token:
        raise UserInputError(f"set {CODEC_TOKEN}, for instance to what 'openssl rand -hex 32' prints")
    allowed = [_origin(origin) for origin in origins]
    if (cert is None) != (key is None):
        raise UserInputError("--tls-cert and --tls-key belong together")
    tls = _tls(cert, key)
    listening = _listening(address)
    host, port = listening.getsockname()[:2]
    _notes(settings, host, tls=tls)
    say(f"codec server at {'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}")
    _run(settings, token, allowed, listening, (cert, key) if tls else None)
    return 0


def _notes(settings: Settings, host: str, *, tls: bool) -> None:
    if not settings.encryption:
        say(f"note: {ENCRYPTION_KEYS} is not set: only compressed and external payloads are decoded")
    if not tls and host not in _LOCAL:
        say("note: without --tls-cert, texts and the token can be read on the network")


def _run(
    settings: Settings, token: str, origins: list[str], listening: socket.socket, tls: tuple[str | None, ...] | None
) -> None:
    import uvicorn

    from orchestrator.client.codec_server import codec_app

    cert, key = tls or (None, None)
    config = uvicorn.Config(
        codec_app(settings, token, origins),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _origin(given: str) -> str:
    origin = given.rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise UserInputError(f"--ui-origin: give scheme and host, such as http://localhost:8233; got {given[:80]!r}")
    return origin.lower()


def _tls(cert: str | None, key: str | None) -> bool:
    """Whether to serve https. Raises UserInputError where the files will not do."""
    if cert is None or key is None:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise UserInputError(f"--tls-cert, --tls-key: cannot be used: {reason or type(error).__name__}") from None
    return True


def _listening(address: str) -> socket.socket:
    try:
        host, port = host_and_port(address)
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except ValueError:
        raise UserInputError(f"--address: give host:port, such as 127.0.0.1:8081; got {address[:80]!r}") from None
    except OSError as error:
        raise PrerequisiteError(f"{address}: {error.strerror or error}; choose another --address") from None
