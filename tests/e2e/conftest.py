"""One embedded Temporal with its worker, and one set of fake vendors, for all tests of whole runs."""

from collections.abc import Iterator

import pytest

from orchestrator.testing.installation import Installed
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.e2e.theatre import WEBHOOK_SECRET, Theatre


@pytest.fixture(scope="session")
def shared_theatre(tmp_path_factory: pytest.TempPathFactory, installed: Installed) -> Iterator[Theatre]:
    folder = tmp_path_factory.mktemp("e2e")
    delivering = {"ORCH_WEBHOOK_SECRET": WEBHOOK_SECRET, "ORCH_OUTPUT_ROOT": str(folder / "delivered")}
    with FakeVendorServer() as vendors:
        installation = installed(folder, {**vendors.environment(), **delivering})
        try:
            yield Theatre(installation, vendors)
        finally:
            installation.close()


@pytest.fixture
def theatre(shared_theatre: Theatre) -> Iterator[Theatre]:
    """The shared theatre with nothing on stage; commands that a test left are ended."""
    yield shared_theatre
    shared_theatre.clear()
