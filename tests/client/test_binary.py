"""Where the Temporal binary comes from, in order."""

import time
from pathlib import Path

import pytest

from orchestrator.client.binary import CLI_VERSION, find_temporal, server_version
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings, load_settings

# A proxy that nobody serves: what would need the internet fails as it does without one.
OFFLINE = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def temporal(path: Path, version: str) -> Path:
    return program(path, f'echo "temporal version 1.0 (Server {version}, UI 2.0)"')


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A binary at each place, whose server version names the place."""
    return {
        "configured": temporal(tmp_path / "configured" / "temporal", "1.1.1"),
        "path": temporal(tmp_path / "path" / "temporal", "2.2.2"),
        "cache": temporal(tmp_path / "cache" / "temporal" / CLI_VERSION / "temporal", "3.3.3"),
    }


def settings_of(tmp_path: Path, **more: str) -> Settings:
    environment = {
        "HOME": str(tmp_path),
        "PATH": str(tmp_path / "path"),
        "ORCHESTRATOR_CACHE_DIR": str(tmp_path / "cache"),
        **OFFLINE,
    }
    return load_settings(environment | more, folder=tmp_path)


def test_the_configured_one_wins_then_path_then_the_cache(tmp_path: Path, places: dict[str, Path]) -> None:
    said: list[str] = []
    configured = settings_of(tmp_path, ORCH_TEMPORAL_BIN=str(places["configured"]))
    assert find_temporal(configured, said.append) == places["configured"]
    assert find_temporal(settings_of(tmp_path), said.append) == places["path"]
    places["path"].unlink()
    assert find_temporal(settings_of(tmp_path), said.append) == places["cache"]
    assert said == []


def test_a_configured_one_that_does_not_run_is_an_error(tmp_path: Path, places: dict[str, Path]) -> None:
    settings = settings_of(tmp_path, ORCH_TEMPORAL_BIN=str(tmp_path / "nothing"))
    with pytest.raises(PrerequisiteError, match="ORCH_TEMPORAL_BIN"):
        find_temporal(settings, lambda line: None)


def test_broken_ones_on_path_and_in_the_cache_are_passed_over(tmp_path: Path, places: dict[str, Path]) -> None:
    program(places["path"], "exit 1")
    assert find_temporal(settings_of(tmp_path), lambda line: None) == places["cache"]


def test_without_download_it_is_built_into_the_cache(tmp_path: Path, places: dict[str, Path]) -> None:
    places["path"].unlink()
    places["cache"].unlink()
    arguments = tmp_path / "arguments"
    program(
        tmp_path / "path" / "go",
        f'echo "$@" "$GOFLAGS" > {arguments}; /bin/cp {places["configured"]} "$GOBIN"/',
    )
    said: list[str] = []
    found = find_temporal(settings_of(tmp_path, GOFLAGS="-p=1", OPENAI_API_KEY="sk-secret"), said.append)
    assert found == places["cache"]
    assert server_version(found) == "1.1.1"
    assert arguments.read_text().split() == [
        "install",
        f"github.com/temporalio/cli/cmd/temporal@{CLI_VERSION}",
        "-p=1",
    ]
    assert any("minutes" in line for line in said)
    assert [path.name for path in found.parent.iterdir()] == ["temporal"]


def test_offline_and_without_go_the_error_is_quick_and_says_what_to_do(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(PrerequisiteError, match=r"ORCH_TEMPORAL_BIN") as caught:
        find_temporal(settings_of(tmp_path), lambda line: None)
    assert time.monotonic() - began < 15  # 4 s, and the start of an interpreter on a busy machine
    assert "\n" not in str(caught.value)
