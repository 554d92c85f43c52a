"""The guards of tests/conftest.py, which every other test relies on."""

import os
import socket
from pathlib import Path

import pytest

from orchestrator.settings import load_settings
from tests.conftest import NetworkUsedError


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_connections_to_other_machines_are_refused(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(NetworkUsedError):
        connection.connect(address)


def test_names_of_other_machines_are_not_looked_up() -> None:
    with pytest.raises(NetworkUsedError):
        socket.getaddrinfo("example.org", 443)


def test_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_state_and_keys_of_the_user_are_out_of_reach() -> None:
    settings = load_settings()
    assert settings.home.is_relative_to(os.environ["HOME"])
    assert "orch-tests-" in os.environ["HOME"]
    assert settings.vendors == {}
    assert settings.embedded
    assert not list(Path.cwd().iterdir())
