"""One server for all tests here; tests are coroutines."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from orchestrator.client.server import ServerInfo, ensure_server, stop_server
from orchestrator.settings import Settings
from tests.client.conftest import settings_at
from tests.cluster.server import Cluster
from tests.workflow.harness import House, house

LONGEST_S = 60.0

Opened = Callable[..., AbstractAsyncContextManager[House]]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(test, LONGEST_S))
    return True


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home for all tests: store and server."""
    return settings_at(tmp_path_factory.mktemp("runs") / "home")


@pytest.fixture(scope="session")
def server(settings: Settings, cluster: Cluster | None) -> Iterator[ServerInfo]:
    """The server."""
    if cluster is not None:
        yield cluster.info()
        return
    yield ensure_server(settings, lambda line: None)
    stop_server(settings)


@pytest.fixture
def opened(settings: Settings, server: ServerInfo) -> Opened:
    """Opens a house for a play."""
    return partial(house, settings, server)
