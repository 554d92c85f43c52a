"""The embedded server: one per home, whatever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from orchestrator.client.processes import process_start, wait_until
from orchestrator.client.server import ServerInfo, ensure_server, server_info, stop_server
from orchestrator.contracts.names import SEARCH_DOUBLES, SEARCH_INTS, SEARCH_KEYWORDS
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings
from tests.client.conftest import MakeSettings
from tests.client.test_binary import program

_ENSURE = """
from orchestrator.client.server import ensure_server
from orchestrator.settings import load_settings
print(ensure_server(load_settings(), lambda line: None).pid, flush=True)
import os; os._exit(0)
"""


def ensure(settings: Settings) -> ServerInfo:
    return ensure_server(settings, lambda line: None)


def ensuring_process(settings: Settings) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _ENSURE], env=settings.environment, stdout=subprocess.PIPE, text=True
    )


def servers_of(settings: Settings) -> int:
    """Number of server processes on the databases of this home."""
    listed = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout
    return sum(f"--db-filename {settings.home}/" in line for line in listed.splitlines())


def test_ten_commands_at_once_start_one_server(make_settings: MakeSettings) -> None:
    settings = make_settings()
    commands = [ensuring_process(settings) for _ in range(10)]
    pids = {command.communicate(timeout=120)[0] for command in commands}
    assert [command.returncode for command in commands] == [0] * 10
    assert len(pids) == 1
    assert servers_of(settings) == 1
    running = server_info(settings)
    assert running is not None
    assert {str(running.pid)} == {pid.strip() for pid in pids}


def test_a_killed_server_is_started_again_with_its_runs_and_addresses(make_settings: MakeSettings) -> None:
    settings = make_settings()
    first = ensure(settings)
    asyncio.run(start_a_run(first.address))
    os.kill(first.pid, signal.SIGKILL)
    assert wait_until(lambda: server_info(settings) is None, 5)
    second = ensure(settings)
    assert second.pid != first.pid
    assert (second.address, second.ui_url) == (first.address, first.ui_url)
    assert asyncio.run(describe_run(second.address)) == "RUNNING"


async def start_a_run(address: str) -> None:
    client = await Client.connect(address)
    await client.start_workflow("SomeWorkflow", id="kept", task_queue="nobody")


async def describe_run(address: str) -> str:
    client = await Client.connect(address)
    status = (await client.get_workflow_handle("kept").describe()).status
    return status.name if status else ""


def test_a_port_that_somebody_takes_first_is_replaced(tmp_path: Path, make_settings: MakeSettings) -> None:
    """As the server says it where another process was faster: after a long story of what it was building."""
    starts = tmp_path / "starts"
    cause = f"{'could not build arguments: ' * 20}listen tcp 127.0.0.1:7: bind: address already in use"
    wrapped = program(
        tmp_path / "bin" / "temporal",
        f'[ "$1" = server ] && echo "$*" >> {starts} && [ $(wc -l < {starts}) = 1 ] && echo "{cause}" && exit 1\n'
        f'exec {make_settings().temporal_bin} "$@"',
    )
    running = ensure(make_settings(ORCH_TEMPORAL_BIN=str(wrapped)))
    first, second = starts.read_text(encoding="utf-8").splitlines()
    assert f"--port {running.address.rpartition(':')[2]} " not in first
    assert f"--port {running.address.rpartition(':')[2]} " in second


def test_the_namespace_is_set_up_for_us(shared_server: ServerInfo) -> None:
    attributes, retention_days = asyncio.run(namespace_of(shared_server.address))
    wanted = {
        **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
        **dict.fromkeys(SEARCH_DOUBLES, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE),
        **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
    }
    assert {name: attributes.get(name) for name in wanted} == wanted
    assert retention_days >= 3650


async def namespace_of(address: str) -> tuple[dict[str, int], int]:
    client = await Client.connect(address)
    listed = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    return dict(listed.custom_attributes), described.config.workflow_execution_retention_ttl.ToTimedelta().days


def test_a_server_whose_starter_was_killed_is_not_doubled(make_settings: MakeSettings) -> None:
    settings = make_settings()
    pid_file = settings.home / "temporal" / "server.pid"
    starter = ensuring_process(settings)
    assert wait_until(lambda: pid_file.exists() and pid_file.read_text().strip().isdigit(), 60)
    starter.kill()
    starter.communicate()
    orphan = int(pid_file.read_text())
    assert server_info(settings) is None
    running = ensure(settings)
    assert running.pid != orphan
    assert process_start(orphan) is None


def test_what_a_first_start_left_half_made_is_removed(make_settings: MakeSettings) -> None:
    settings = make_settings()
    version = ensure(settings).version
    stop_server(settings)
    data = settings.home / "temporal" / version
    for path in data.glob("temporal.db*"):
        path.unlink()
    (data / "temporal.db").write_bytes(b"half a database")
    with pytest.raises(PrerequisiteError, match="did not start"):
        ensure(settings)
    (data / "unfinished").touch()
    ensure(settings)
    assert not (data / "unfinished").exists()


def test_stopping_is_complete_and_says_whether_there_was_anything(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert not stop_server(settings)
    pid = ensure(settings).pid
    assert stop_server(settings)
    assert process_start(pid) is None
    assert server_info(settings) is None


def test_a_stopped_server_comes_back_on_the_same_page(make_settings: MakeSettings) -> None:
    settings = make_settings()
    before = ensure(settings).ui_url
    stop_server(settings)
    assert ensure(settings).ui_url == before


def test_the_server_sees_no_key(make_settings: MakeSettings) -> None:
    settings = make_settings(OPENAI_API_KEY="sk-very-secret", TEMPORAL_API_KEY="also-secret")
    environment = Path(f"/proc/{ensure(settings).pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not show the environment of a process")
    assert b"secret" not in environment.read_bytes()


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path, make_settings: MakeSettings) -> None:
    (tmp_path / "file").touch()
    settings = make_settings().model_copy(update={"home": tmp_path / "file" / "home"})
    with pytest.raises(PrerequisiteError, match="ORCH_HOME"):
        ensure(settings)
