"""Logs of a worker: readable lines, or one JSON object per line; no secret in either.

Fields of an object: time (RFC 3339 in UTC), level, logger, message, those of `log_fields` and of the context (project
and task, workflow, activity), and error with its traceback where there is one.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

from orchestrator.telemetry.redaction import redact

Fields = Mapping[str, str | int]

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

_fields: ContextVar[Fields] = ContextVar("orch_log_fields", default=MappingProxyType({}))


@contextmanager
def log_fields(**fields: str | int) -> Iterator[None]:
    """Every record of this task within the block has these fields."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class Redacting(logging.Formatter):
    """Readable lines. `secrets` may grow: keys are known a moment after the first line."""

    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)
        self.secrets: tuple[str, ...] = ()

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self.secrets)


class JsonLines(Redacting):
    """One JSON object per line. `context` gives the fields of where the process is just now."""

    def __init__(self, context: Callable[[], Fields]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found: dict[str, str | int] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._context(),
            **_fields.get(),
        }
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        clean = {
            name: redact(value, self.secrets) if isinstance(value, str) else value for name, value in found.items()
        }
        return json.dumps(clean, ensure_ascii=False)


def set_up_logs(
    level: str, *, as_json: bool, context: Callable[[], Fields] = dict, stream: TextIO | None = None
) -> Callable[[Iterable[str]], None]:
    """Logs of this process go to `stream` (stderr). Give the keys to what is returned as soon as they are known."""
    formatter = JsonLines(context) if as_json else Redacting()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)

    def hide(secrets: Iterable[str]) -> None:
        formatter.secrets = tuple(secrets)

    return hide
