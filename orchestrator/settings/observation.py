"""How a worker can be watched: its logs, its metrics, its health, what its traces tell."""

from collections.abc import Mapping

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError

_LOG_FORMAT = "ORCH_LOG_FORMAT"
_METRICS = "ORCH_METRICS_ADDRESS"
_HEALTH = "ORCH_HEALTH_ADDRESS"
_CONTENT = "ORCH_TRACE_CONTENT"
NAMES = (_LOG_FORMAT, _METRICS, _HEALTH, _CONTENT)


class ObservationSettings(Frozen):
    """Addresses are `host:port`, empty where nothing is to be served; port 0 lets the system choose.

    `trace_content`: spans of calls carry prompts and answers.
    """

    log_json: bool = False
    metrics_address: str = ""
    health_address: str = ""
    trace_content: bool = False


def find_observation(environment: Mapping[str, str]) -> ObservationSettings:
    """What the environment says. Raises UserInputError."""
    log_format = environment.get(_LOG_FORMAT, "") or "text"
    if log_format not in ("text", "json"):
        raise UserInputError(f"{_LOG_FORMAT}={log_format!r}: give 'text' or 'json'")
    content = environment.get(_CONTENT, "") or "0"
    if content not in ("0", "1"):
        raise UserInputError(f"{_CONTENT}={content!r}: give 1, or unset it")
    return ObservationSettings(
        log_json=log_format == "json",
        metrics_address=_address(environment, _METRICS),
        health_address=_address(environment, _HEALTH),
        trace_content=content == "1",
    )


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of an address. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{address!r} is no address")
    return host.strip("[]"), int(port)


def _address(environment: Mapping[str, str], name: str) -> str:
    given = environment.get(name, "")
    if given:
        try:
            host_and_port(given)
        except ValueError:
            raise UserInputError(f"{name}={given!r}: give host:port, such as 127.0.0.1:8080") from None
    return given
