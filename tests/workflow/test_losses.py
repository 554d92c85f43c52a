"""Content that the store has lost: what is left is published, what is lost is named, and a resume does it again."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator.artifacts.manifest import Manifest
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.refs import blob_ref
from orchestrator.domain.tasks import Stage
from orchestrator.settings import Settings
from tests.workflow.conftest import Opened
from tests.workflow.harness import House, spec
from tests.workflow.play import Play, text_task

REPORTS = {"summary.json", "REPORT.md", "report.html"}


def blob(settings: Settings, text: str) -> Path:
    """Where the store keeps a text."""
    digest = blob_ref(text.encode()).sha256
    return Path(urlsplit(settings.store_url).path) / "blobs" / digest[:2] / digest


async def software(house: House, view: ProjectView) -> set[str]:
    """Paths of what the run published, without our own files."""
    assert view.manifest is not None
    return {file.path for file in Manifest.model_validate_json(await house.store.get(view.manifest)).files} - REPORTS


@pytest.mark.parametrize("how", ["missing", "altered"])
async def test_files_that_are_lost_at_the_end_are_named_and_the_others_published(
    how: str, opened: Opened, settings: Settings
) -> None:
    play = Play(text_task("t1"), text_task("t2", files=("a.txt", "b.txt")), text_task("t3", "t1", "t2"))
    play.contents |= {"t1.txt": f"first {how}\n", "b.txt": f"second {how}\n"}
    gate = play.hold(Stage.EVALUATE, "t3")
    project = spec()
    async with opened(play) as house:
        run = await house.start(project)
        await gate.arrived.wait()
        for path in ("t1.txt", "b.txt"):
            kept = blob(settings, play.contents[path])
            kept.unlink() if how == "missing" else kept.write_bytes(b"something else")
        gate.open()
        view = await run.result()
        left = await software(house, view)
        again = await house.resume(run, project, retry_failed=True)
        mended = await again.result()
        whole = await software(house, mended)
    assert view.status is ProjectStatus.PARTIAL_SUCCESS
    assert view.reason == "1 task(s) without a result: lost in the artifact store: t1.txt"
    assert [task.status for task in view.tasks] == ["FAILED", "DEGRADED", "COMPLETED"]
    assert view.tasks[1].files == ("a.txt",)
    assert view.notes == ("t1: lost in the artifact store: t1.txt", "t2: lost in the artifact store: b.txt")
    assert left == {"a.txt", "t3.txt"}
    assert mended.status is ProjectStatus.SUCCESS, mended.reason
    assert whole == {"t1.txt", "a.txt", "b.txt", "t3.txt"}
    assert [play.count(Stage.GENERATE, task) for task in ("t1", "t2", "t3")] == [2, 2, 1]


async def test_where_everything_is_lost_the_run_has_failed(opened: Opened, settings: Settings) -> None:
    play = Play(text_task("t1"))
    play.contents["t1.txt"] = "all there was\n"
    gate = play.hold(Stage.EVALUATE)
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        blob(settings, "all there was\n").unlink()
        gate.open()
        view = await run.result()
        left = await software(house, view)
    assert (view.status, view.reason) == (ProjectStatus.SYSTEM_FAILURE, "lost in the artifact store: t1.txt")
    assert left == set()
