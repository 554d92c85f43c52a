"""Which models an Ollama server has. It needs no key, so it is usable when it answers."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_TIMEOUT_S = 0.5
_PORT = 11434
_MAX_BYTES = 1 << 20


def ollama_url(host: str) -> str:
    """The address that OLLAMA_HOST means: scheme and port may be missing, 0.0.0.0 is what a server binds to."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name == "0.0.0.0" else name
    shown = f"[{name}]" if ":" in name else name
    port = parts.port or (443 if parts.scheme == "https" else 80 if "://" in host else _PORT)
    return f"{parts.scheme}://{shown}:{port}{parts.path.rstrip('/')}"


def installed_models(url: str) -> tuple[str, ...] | None:
    """Names of the models that are installed there; None where no Ollama answers within half a second."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path}/api/tags")
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
        found = json.loads(body)["models"] if response.status == 200 else None
        return None if found is None else tuple(str(model["name"]) for model in found)
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
