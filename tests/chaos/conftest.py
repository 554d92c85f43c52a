"""One server for the runs in this process; tests are coroutines; each result becomes a line of the table's input."""

import asyncio
import inspect
import json
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from orchestrator.client.server import ServerInfo, ensure_server, stop_server
from orchestrator.settings import Settings
from orchestrator.testing.installation import Installed
from tests.chaos.invariants import ChaosError, Harm
from tests.chaos.site import Sites
from tests.client.conftest import settings_at
from tests.cluster.server import Cluster

LONGEST_S = 180.0
REPORT = "CHAOS_REPORT"  # a file that takes a JSON line per test
SEED = "CHAOS_SEED"

Configured = Callable[..., Settings]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(test, LONGEST_S))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append what came of a run to the file that the table is made of."""
    report = yield
    path = os.environ.get(REPORT)
    if path and (report.when == "call" or not report.passed):
        error = call.excinfo.value if call.excinfo else None
        harm = "" if report.passed else error.harm if isinstance(error, ChaosError) else Harm.LOST
        row = {
            "group": item.path.stem,
            "test": item.name,
            "outcome": report.outcome,
            "harm": "" if report.skipped else str(harm),
            "message": "" if report.passed else str(error)[:300],
            "seconds": round(report.duration, 2),
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return report


@pytest.fixture(scope="session")
def seed() -> int:
    """What random faults and moments are drawn from."""
    return int(os.environ.get(SEED, "1"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of all runs in this process."""
    return tmp_path_factory.mktemp("chaos") / "home"


@pytest.fixture(scope="session")
def server(home: Path, cluster: Cluster | None) -> Iterator[ServerInfo]:
    """The Temporal server of all runs in this process."""
    if cluster is not None:
        yield cluster.info()
        return
    settings = settings_at(home)
    yield ensure_server(settings, lambda line: None)
    stop_server(settings)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, installed: Installed) -> Iterator[Sites]:
    """Where whole processes run: started anew only where a test did not hold or needs another script."""
    kept = Sites(lambda: tmp_path_factory.mktemp("site"), installed)
    yield kept
    kept.close()


@pytest.fixture
def configured(home: Path) -> Configured:
    """Settings of that home with more environment."""
    return lambda **environment: settings_at(home, **environment)
