"""What holds for every test: no network but loopback, no key and no state of the user who runs it."""

import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from orchestrator.testing.installation import Installed
    from tests.cluster.server import Cluster

CHAOS = Path(__file__).parent / "chaos"
CLUSTER = Path(__file__).parent / "cluster"
FOREIGN_PREFIXES = ("ORCH_", "ORCHESTRATOR_", "TEMPORAL_", "XDG_", "OTEL_", "GIGACHAT_", "YANDEX_")
FOREIGN_SUFFIXES = ("_API_KEY", "_BASE_URL", "_AUTH_URL", "_IAM_TOKEN", "_FOLDER_ID", "_CA_BUNDLE", "_VERIFY_SSL")
FOREIGN_NAMES = ("OLLAMA_HOST", "OLLAMA_NUM_CTX")
KEPT_NAMES = ("ORCH_TEMPORAL_BIN",)
NETWORK_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}

# Two shared cores: the time of one example says nothing about the code.
settings.register_profile("orch", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("orch")


class NetworkUsedError(RuntimeError):
    """A test reached for a host that is not this machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="run all of tests/chaos, not only its sample")
    parser.addoption("--cluster", action="store_true", help="run against a real Temporal server on PostgreSQL")


def pytest_configure(config: pytest.Config) -> None:
    home = Path(tempfile.mkdtemp(prefix="orch-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    config.addinivalue_line("markers", "embedded: about the embedded server and its worker; left out with --cluster")
    config.addinivalue_line("markers", "long: takes its time; runs with --chaos only")
    _isolate(home)
    sys.addaudithook(_refuse_network)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _is_left_out(item, config)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _is_left_out(item: pytest.Item, config: pytest.Config) -> bool:
    chaos, cluster = config.getoption("--chaos"), config.getoption("--cluster")
    long = CHAOS in item.path.parents and not item.get_closest_marker("sample")
    long = long or item.get_closest_marker("long") is not None
    elsewhere = item.get_closest_marker("embedded") is not None if cluster else CLUSTER in item.path.parents
    return (long and not chaos) or elsewhere


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> "Iterator[Cluster | None]":
    """The cluster that tests run against; None where they run against the embedded server."""
    if not request.config.getoption("--cluster"):
        yield None
        return
    from tests.cluster.server import running_cluster

    with running_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: "Cluster | None") -> "Installed":
    """Makes an installation of the server that tests run against."""
    from orchestrator.testing.installation import Installation

    if cluster is None:
        return Installation
    from tests.cluster.installation import installations

    return installations(cluster)


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands in an empty folder: none reads a `.env` or leaves results in the repository."""
    monkeypatch.chdir(tmp_path)


def _isolate(home: Path) -> None:
    """Moves HOME and all state to `home`; keeps the cache, which holds the Temporal binary and no state."""
    cache = os.environ.get("ORCHESTRATOR_CACHE_DIR") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orch"
    )
    for name in list(os.environ):
        foreign = name.startswith(FOREIGN_PREFIXES) or name.endswith(FOREIGN_SUFFIXES) or name in FOREIGN_NAMES
        if foreign and name not in KEPT_NAMES:
            del os.environ[name]
    os.environ["HOME"] = str(home)
    os.environ["ORCH_HOME"] = str(home / "orch")
    os.environ["ORCHESTRATOR_CACHE_DIR"] = cache
    os.environ["OLLAMA_HOST"] = "127.0.0.1:9"  # nobody's: the models of whoever runs the tests are no vendor


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: sees every connection that Python code of this process makes, whichever library it uses."""
    position = NETWORK_EVENTS.get(event)
    if position is None:
        return
    address = arguments[position]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(address, tuple) or event == "socket.getaddrinfo":
        _require_loopback(host)


def _require_loopback(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        allowed = ipaddress.ip_address(str(name)).is_loopback or str(name) in ("0.0.0.0", "::")
    except ValueError:
        allowed = False
    if not allowed:
        raise NetworkUsedError(f"tests use loopback only, not {name!r}")
