"""Every vendor fault by itself, at one vendor and at all of them, and all of them mixed at random."""

import socket
from contextlib import closing

import pytest

from orchestrator.client.server import ServerInfo
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.providers.base import Timeouts as RequestTimeouts
from orchestrator.testing.project_script import ProjectScript
from orchestrator.testing.vendor_records import RequestRecord
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.chaos.conftest import Configured
from tests.chaos.invariants import Harm, invariants, require
from tests.chaos.rig import IMPATIENT, PATIENT, RUN_S, VENDORS, diamond, project, rig
from tests.chaos.vendor_faults import (
    ALL,
    REFUSED,
    SILENT,
    USABLE,
    Choose,
    FaultyVendors,
    after_the_plan,
    every_vendor,
    mixed,
    one_vendor,
)

SHARE = 0.3
MIXES = 12
SAMPLE_MIXES = 1
TINY_MICRO = 150_000  # a fraction of what the whole project costs at its bounds
SAMPLED = {"529", "usage huge"}
ENDED = (
    ProjectStatus.SUCCESS,
    ProjectStatus.COMPLETED_DEGRADED,
    ProjectStatus.PARTIAL_SUCCESS,
    ProjectStatus.BUDGET_EXHAUSTED,
    ProjectStatus.SYSTEM_FAILURE,
)

EACH = [pytest.param(name, marks=[pytest.mark.sample] if name in SAMPLED else [], id=name) for name in ALL]
SEEDS = [pytest.param(n, marks=[pytest.mark.sample] if n < SAMPLE_MIXES else []) for n in range(MIXES)]


class Scene:
    """One run against vendors that fail as `choose` says, judged afterwards."""

    def __init__(
        self,
        configured: Configured,
        server: ServerInfo,
        choose: Choose,
        timeouts: RequestTimeouts = PATIENT,
        *,
        dear: bool = False,
    ) -> None:
        self._configured = configured
        self._server = server
        self._timeouts = timeouts
        self.script = FaultyVendors(ProjectScript(tasks=diamond()), choose, dear=dear)
        self.requests: list[RequestRecord] = []
        self.met: set[str] = set()

    async def play(self, deaf: tuple[str, ...] = (), workers: int = 1, **changes: object) -> ProjectView:
        """The result of a run whose invariants hold; nobody listens where vendors are `deaf`."""
        with FakeVendorServer(self.script) as vendors:
            environment = vendors.environment(VENDORS)
            for vendor in deaf:
                environment |= {f"{vendor.upper()}_BASE_URL": f"http://127.0.0.1:{_closed_port()}/v1"}
            settings = self._configured(**environment)
            async with rig(settings, self._server, workers=workers, timeouts=self._timeouts) as house:
                given = project(settings, **changes)
                run = await house.start(given)
                view = await run.result(RUN_S)
                self.requests = list(vendors.requests)
                await invariants(self.script, self.requests, given.models, view, await run.records(), house.store)
        self.met = {self.script.fault_of(record.request) for record in self.requests}
        require(view.status in ENDED, Harm.WRONG_STATUS, f"ended as {view.status}")
        return view


def _closed_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _timeouts(name: str) -> RequestTimeouts:
    return IMPATIENT if name in SILENT else PATIENT


def _choice(name: str, vendor: str) -> tuple[Choose, tuple[str, ...]]:
    return (every_vendor(""), (vendor,)) if name == REFUSED else (one_vendor(name, vendor), ())


@pytest.mark.parametrize("name", EACH)
async def test_one_vendor_fails_and_the_others_take_over(name: str, configured: Configured, server: ServerInfo) -> None:
    choose, deaf = _choice(name, "google")
    scene = Scene(configured, server, choose, _timeouts(name))
    view = await scene.play(deaf)
    assert name in scene.met or deaf, "this vendor was never asked"
    require(view.status is ProjectStatus.SUCCESS, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")


@pytest.mark.parametrize("name", EACH)
async def test_an_outage_of_all_vendors_is_never_a_success(
    name: str, configured: Configured, server: ServerInfo
) -> None:
    scene = Scene(configured, server, every_vendor(name), _timeouts(name))
    view = await scene.play(VENDORS if name == REFUSED else ())
    if name in USABLE:
        allowed = {ProjectStatus.SUCCESS, ProjectStatus.BUDGET_EXHAUSTED}
        require(view.status in allowed, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")
    else:
        require(view.status is ProjectStatus.SYSTEM_FAILURE, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")


@pytest.mark.parametrize("name", [name for name in ALL if name not in (*USABLE, REFUSED)])
async def test_vendors_that_fail_after_the_plan_leave_no_success(
    name: str, configured: Configured, server: ServerInfo
) -> None:
    view = await Scene(configured, server, after_the_plan(name), _timeouts(name)).play()
    allowed = {ProjectStatus.SYSTEM_FAILURE, ProjectStatus.BUDGET_EXHAUSTED}
    require(view.status in allowed, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")


@pytest.mark.parametrize("number", SEEDS)
async def test_faults_mixed_at_random(number: int, configured: Configured, server: ServerInfo, seed: int) -> None:
    choose = mixed(seed * 1000 + number, SHARE)
    await Scene(configured, server, choose).play(deaf=("google",) if number % 4 == 3 else ())


@pytest.mark.parametrize("number", SEEDS)
async def test_a_small_budget_holds_under_mixed_faults(
    number: int, configured: Configured, server: ServerInfo, seed: int
) -> None:
    """Every answer costs as much as it may, so that a reservation that is too small goes over the cap."""
    scene = Scene(configured, server, mixed(seed * 1000 + 500 + number, SHARE), dear=True)
    await scene.play(max_micro=TINY_MICRO * (1 + number))


@pytest.mark.sample
async def test_two_workers_on_one_queue_ask_nothing_twice(configured: Configured, server: ServerInfo) -> None:
    scene = Scene(configured, server, every_vendor(""))
    view = await scene.play(workers=2)
    require(view.status is ProjectStatus.SUCCESS, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")
    require(len(scene.requests) == view.calls, Harm.REPEATED, f"{len(scene.requests)} requests, {view.calls} calls")
