"""Keys that come after a first run without any are used, and are written nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.testing.installation import Installation
from orchestrator.testing.project_script import ProjectScript, wide
from orchestrator.testing.vendor_script import Reply, Rule
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.e2e.theatre import Theatre, summary

SECRET_TEXT = "xylophone-of-the-seventh-prompt"


@pytest.fixture
def keyless(tmp_path: Path) -> Iterator[Theatre]:
    with FakeVendorServer() as vendors:
        installation = Installation(tmp_path, {"ORCH_SIM_LATENCY_MS": "5", "ORCHESTRATOR_LOG_LEVEL": "DEBUG"})
        try:
            yield Theatre(installation, vendors)
        finally:
            installation.close()


def test_keys_are_used_and_written_nowhere(keyless: Theatre) -> None:
    first = keyless.run("--project", f"A small tool, {SECRET_TEXT}")
    assert first.object["simulated"] is True
    worker = keyless.installation.worker_pid()

    keys = keyless.vendors.environment()
    secrets = [value for name, value in keys.items() if name.endswith("_KEY")]
    told = Reply(status=401, error_message=f"Incorrect API key provided: {' '.join(secrets)}")
    keyless.play(ProjectScript(tasks=wide(2), rules=(Rule(reply=told, vendor="anthropic"),)).reply)
    second = keyless.run("--project", f"Another tool, {SECRET_TEXT}", extra=keys)
    assert second.code == 0, second.err
    assert second.object["simulated"] is False
    assert keyless.requests
    assert keyless.installation.worker_pid() != worker
    assert any("anthropic" in note for note in summary(second.object)["notes"])

    for outcome in (first, second):
        assert not any(secret in outcome.out + outcome.err for secret in secrets)
    written = [path for path in keyless.installation.folder.rglob("*") if path.is_file()]
    assert any(path.name == "temporal.db" for path in written)
    for path in written:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), f"a key is in {path}"
        if path.suffix == ".log":
            assert SECRET_TEXT.encode() not in content, f"a prompt is in {path}"
