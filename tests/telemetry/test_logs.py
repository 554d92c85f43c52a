"""Logs of a worker: lines for people, objects for machines, no secret in either."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.settings import Settings
from orchestrator.telemetry.logs import log_fields, set_up_logs
from orchestrator.telemetry.redaction import REDACTED
from workers.observing import start_logs

KEY = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_each_line_is_an_object_with_the_fields_of_where_it_is_from() -> None:
    stream = io.StringIO()
    set_up_logs("INFO", as_json=True, context=lambda: {"project_id": "p1", "attempt": 2}, stream=stream)
    with log_fields(task_id="t1"), log_fields(vendor="acme"):
        logging.getLogger("orch.x").warning("two\nlines of %s", "text")
    logging.getLogger("orch.x").info("after")
    first, second = (json.loads(line) for line in lines(stream))
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "WARNING",
        "logger": "orch.x",
        "message": "two\nlines of text",
        "project_id": "p1",
        "attempt": 2,
        "task_id": "t1",
        "vendor": "acme",
    }
    assert second.keys() == {"time", "level", "logger", "message", "project_id", "attempt"}


def test_variables_that_hold_secrets_are_not_logged_nor_are_their_parts(capsys: pytest.CaptureFixture[str]) -> None:
    parts = ("Zm9vYmFyYmF6cXV4Zm9vYmFy", "YmFyYmF6cXV4Zm9vYmFyYmF6", "collector-token-0123456789", "short-but-whole")
    environment = {
        "ORCH_ENCRYPTION_KEYS": f"k1:{parts[0]},k2:{parts[1]}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={parts[2]}",
        "TEMPORAL_API_KEY": parts[3],
    }
    start_logs(Settings(home=Path("/home"), cache_dir=Path("/cache"), environment=environment))
    for part in parts:
        logging.getLogger("orch.x").warning("it is %s", part)
    written = capsys.readouterr().err
    assert written.count(REDACTED) == len(parts)
    assert not [part for part in parts if part in written]


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_logged_not_even_in_a_traceback(as_json: bool) -> None:
    stream = io.StringIO()
    hide = set_up_logs("INFO", as_json=as_json, stream=stream)
    hide([KEY])
    try:
        raise ValueError(f"the key {KEY} and sk-proj-abcdefghijklmnop1234")
    except ValueError:
        logging.getLogger("temporalio").exception("failed with %s", KEY)
    logging.getLogger("orch.temporal").error("core: Bearer %s", KEY)
    text = stream.getvalue()
    assert KEY not in text
    assert "abcdefghijklmnop" not in text
    assert text.count(REDACTED) >= 3
    assert "Traceback" in text
    if as_json:
        assert "ValueError" in json.loads(lines(stream)[0])["error"]
