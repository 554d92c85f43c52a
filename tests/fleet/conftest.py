"""One server for all fleets here, a namespace for each."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.client.server import ensure_server, stop_server
from orchestrator.testing.installation import VendorProcess
from orchestrator.testing.project_script import ProjectScript
from tests.client.conftest import settings_at
from tests.cluster.server import Cluster
from tests.fleet.fleet import Fleet

NewFleet = Callable[..., Fleet]
NewVendors = Callable[[ProjectScript], VendorProcess]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster | None) -> Iterator[str]:
    """host:port of the server."""
    if cluster is not None:
        yield cluster.address
        return
    settings = settings_at(tmp_path_factory.mktemp("fleet") / "home")
    yield ensure_server(settings, lambda line: None).address
    stop_server(settings)


@pytest.fixture
def new_fleet(tmp_path: Path, address: str) -> Iterator[NewFleet]:
    """Makes fleets, with more environment; their workers end with the test."""
    fleets: list[Fleet] = []

    def make(**extra: str) -> Fleet:
        fleets.append(Fleet(tmp_path, address, f"fleet-{next(_numbers)}", extra))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def new_vendors(tmp_path: Path) -> Iterator[NewVendors]:
    """Starts fake vendors that play a script."""
    started: list[VendorProcess] = []

    def make(script: ProjectScript) -> VendorProcess:
        started.append(VendorProcess(tmp_path, script.save(tmp_path / "script.py")))
        return started[-1]

    yield make
    for vendors in started:
        vendors.close()
