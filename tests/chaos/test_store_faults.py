"""The artifact store fails for a while, loses or alters content; the server stands still under calls."""

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator.artifacts.backends import LocalBackend
from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.server import ServerInfo
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.tasks import Stage
from orchestrator.testing.project_script import ProjectScript
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.chaos.conftest import Configured
from tests.chaos.invariants import Harm, invariants, require
from tests.chaos.rig import RUN_S, VENDORS, diamond, project, rig
from tests.chaos.vendor_faults import FaultyVendors, every_vendor
from tests.workflow.harness import Run

REFUSALS = 5  # writes that fail before the disk is well again
NOTICED_S = 30.0
SAMPLED = [("disk full", Stage.GENERATE)]
STILL_S = 3.0  # longer than a heartbeat's timeout
MOMENTS = [
    pytest.param(error, stage, marks=[pytest.mark.sample] if (name, stage) in SAMPLED else [], id=f"{name}-{stage}")
    for name, error in (("disk full", errno.ENOSPC), ("read-only", errno.EROFS))
    for stage in (Stage.PLAN, Stage.GENERATE, Stage.EVALUATE)
]
FINAL = (
    ProjectStatus.SUCCESS,
    ProjectStatus.COMPLETED_DEGRADED,
    ProjectStatus.PARTIAL_SUCCESS,
    ProjectStatus.SYSTEM_FAILURE,
)


class SickBackend(LocalBackend):
    """A folder whose writes fail while `error` is set, as those of a full or read-only disk do."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.error = 0
        self.refused = 0
        self.noticed = asyncio.Event()

    async def write(self, name: str, data: bytes) -> None:
        """Fails while the disk is sick."""
        self._check()
        await super().write(name, data)

    async def create(self, name: str, data: bytes) -> bool:
        """Fails while the disk is sick."""
        self._check()
        return await super().create(name, data)

    def _check(self) -> None:
        if self.error:
            self.refused += 1
            if self.refused >= REFUSALS:
                self.noticed.set()
            raise ArtifactUnavailableError(f"the artifact store cannot be used: {os.strerror(self.error)}")


Disturb = Callable[[Run, FakeVendorServer], Awaitable[None]]


class Scene:
    """A run with healthy vendors whose surroundings fail."""

    def __init__(self, configured: Configured, server: ServerInfo) -> None:
        self.vendors = FaultyVendors(ProjectScript(tasks=diamond(), latency_ms=100), every_vendor(""))
        self.root = Path(urlsplit(configured().store_url).path)
        self._configured = configured
        self._server = server

    async def play(self, disturb: Disturb, store: ArtifactStore | None = None) -> ProjectView:
        """The result of a run that was disturbed and whose invariants hold."""
        with FakeVendorServer(self.vendors) as vendors:
            settings = self._configured(**vendors.environment(VENDORS))
            async with rig(settings, self._server, store=store) as house:
                given = project(settings)
                run = await house.start(given)
                await disturb(run, vendors)
                view = await run.result(RUN_S)
                await invariants(self.vendors, vendors.requests, given.models, view, await run.records(), house.store)
        require(view.status in FINAL, Harm.WRONG_STATUS, f"ended as {view.status}")
        return view


async def _asked(vendors: FakeVendorServer, stage: Stage, count: int) -> None:
    """Until so many requests of a stage have arrived."""
    arrived = lambda server: sum(r.request.stage == stage for r in tuple(server.requests)) >= count  # noqa: E731
    await asyncio.to_thread(vendors.wait_for, arrived, 30.0)


def _succeeded(view: ProjectView) -> None:
    require(view.status is ProjectStatus.SUCCESS, Harm.WRONG_STATUS, f"{view.status}: {view.reason}")


@pytest.mark.parametrize(("error", "stage"), MOMENTS)
async def test_a_store_that_cannot_be_written_for_a_while_loses_nothing(
    error: int, stage: Stage, configured: Configured, server: ServerInfo
) -> None:
    scene = Scene(configured, server)
    sick = SickBackend(scene.root)

    async def disturb(run: Run, vendors: FakeVendorServer) -> None:
        await _asked(vendors, stage, 1)
        sick.error = error
        await asyncio.wait_for(sick.noticed.wait(), NOTICED_S)
        sick.error = 0

    view = await scene.play(disturb, ArtifactStore(sick))
    _succeeded(view)
    require(view.uncertain_micro == 0, Harm.LOST, "an answer that had come was booked as uncertain")


def _spoil(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\0")


def _blob_with(root: Path, text: str) -> Path | None:
    found = (path for path in (root / "blobs").rglob("*") if path.is_file() and path.read_bytes() == text.encode())
    return next(found, None)


@pytest.mark.sample
@pytest.mark.parametrize("how", ["missing", "altered"])
async def test_a_blob_of_a_finished_task_is_never_published_wrong(
    how: str, configured: Configured, server: ServerInfo
) -> None:
    """Detected where it is read: the run ends with a status that is true, and names what it has lost."""
    scene = Scene(configured, server)

    async def disturb(run: Run, vendors: FakeVendorServer) -> None:
        await _asked(vendors, Stage.EVALUATE, 1)
        path = _blob_with(scene.root, scene.vendors.script.tasks[0].files["t01.json"])
        assert path is not None
        _spoil(path, how)

    view = await scene.play(disturb)
    require(view.status is not ProjectStatus.SUCCESS, Harm.WRONG_STATUS, "SUCCESS without one of its files")
    named = any("lost in the artifact store: t01.json" in note for note in view.notes)
    require(named, Harm.WRONG_STATUS, f"what is lost is not named: {view.reason} {view.notes}")
    require(view.manifest is not None, Harm.LOST, "nothing was published")


@pytest.mark.sample
async def test_a_prompt_whose_sources_are_gone_costs_nothing(configured: Configured, server: ServerInfo) -> None:
    """No vendor is asked, and nothing is booked as uncertain for a request that never left."""
    scene = Scene(configured, server)
    seen: list[int] = []

    async def disturb(run: Run, vendors: FakeVendorServer) -> None:
        await _asked(vendors, Stage.EVALUATE, 1)
        path = _blob_with(scene.root, scene.vendors.script.tasks[0].files["t01.json"])
        assert path is not None
        _spoil(path, "missing")
        await run.handle.result()
        seen.append((await run.state()).ledger.uncertain_micro)

    await scene.play(disturb)
    require(seen == [0], Harm.BOOKS, f"booked as uncertain, though nothing was sent: {seen}")


@pytest.mark.sample
async def test_a_server_that_stands_still_while_calls_complete(configured: Configured, server: ServerInfo) -> None:
    async def disturb(run: Run, vendors: FakeVendorServer) -> None:
        await _asked(vendors, Stage.GENERATE, 2)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(STILL_S)  # the fault itself: answers come, and nobody can be told
        finally:
            os.kill(server.pid, signal.SIGCONT)

    view = await Scene(configured, server).play(disturb)
    _succeeded(view)
    require(view.uncertain_micro == 0, Harm.LOST, "an answer that had come was booked as uncertain")
