"""What the software starts from: the scaffold of its kind, the user's own files, the plan's packages."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from activities.model_calls import ModelActivities
from orchestrator.artifacts.manifest import read_file, read_manifest, write_draft
from orchestrator.contracts import names
from orchestrator.contracts.project import ProjectView
from orchestrator.contracts.tools import InstallInput, InstallOutcome, ValidatorVerdict
from orchestrator.domain.answers import PlanAnswer, PlannedPackages
from orchestrator.domain.apps import AppType, ArchitectureWishes, Dependencies
from orchestrator.domain.findings import CheckStatus
from orchestrator.domain.tasks import Stage
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import Play, text_task

_NOTHING_WRONG = ValidatorVerdict(validator="dependencies", status=CheckStatus.PASSED)


@activity.defn(name=names.ACTIVITY_INSTALL)
async def _install(request: InstallInput) -> InstallOutcome:
    """Installs nothing; some file imports attrs, which nobody declares."""
    return InstallOutcome(verdict=_NOTHING_WRONG, resolved=Dependencies(python=("attrs==25.4.0",)))


def install(_: ModelActivities) -> Callable[..., Any]:
    """Stands in for the activity of this name."""
    return _install


LIBRARY = ArchitectureWishes(app_type=AppType.LIBRARY)


def _as_good_as_without_sandbox(view: ProjectView) -> bool:
    """All tasks are done; the scaffold's own files could not be checked here."""
    return all(task.status == "COMPLETED" for task in view.tasks) and "without a sandbox" in view.reason


async def test_a_project_starts_from_the_scaffold_of_its_kind(opened: Opened) -> None:
    tasks = [text_task("core", files=["core.md"]), text_task("ignore", "core", files=[".gitignore"])]
    play = Play(*tasks)
    play.on(Stage.PLAN, reply=PlanAnswer(tasks=tasks, packages=PlannedPackages(python=["httpx>=0.28"])))
    async with opened(play, instead=install) as house:
        view = await house.play(spec(wishes=LIBRARY))
        assert view.manifest is not None
        files = {f.path: f for f in (await read_manifest(house.store, view.manifest)).files}
        pyproject = await read_file(house.store, files["pyproject.toml"])
        own = await read_file(house.store, files[".gitignore"])
    assert _as_good_as_without_sandbox(view)
    assert {"core.md", "README.md", "pyproject.toml", "Dockerfile"} <= set(files)
    assert b"httpx>=0.28" in pyproject
    assert b"attrs==25.4.0" in pyproject, "what is imported is declared"
    assert b"__pycache__" not in own, "a task's file wins"
    (planned,) = play.requests(Stage.PLAN)
    assert "pyproject.toml" in planned.request.sections["existing"]
    for asked in play.requests(Stage.GENERATE):
        assert "package: httpx>=0.28" in asked.request.sections["existing"]
        assert ".gitignore" not in asked.request.sections["existing"]


async def test_packages_must_be_names(opened: Opened) -> None:
    tasks = [text_task("core")]
    play = Play(*tasks)
    bad = PlanAnswer(tasks=tasks, packages=PlannedPackages(python=["--index-url=http://evil.example x"]))
    play.on(Stage.PLAN, reply=bad, times=1)
    async with opened(play, instead=install) as house:
        view = await house.play(spec(wishes=LIBRARY))
    assert _as_good_as_without_sandbox(view)
    _, second = play.requests(Stage.PLAN)
    assert "is no Python requirement" in second.request.prompt


async def test_the_users_files_are_part_of_the_software_and_known_to_all_tasks(opened: Opened) -> None:
    play = Play(text_task("core"))
    async with opened(play) as house:
        given = await write_draft(house.store, {"data/prices.csv": b"bread,3\n"})
        view = await house.play(spec(files=given))
        assert view.manifest is not None
        files = {f.path for f in (await read_manifest(house.store, view.manifest)).files}
    assert {"core.txt", "data/prices.csv"} <= files
    (asked,) = play.requests(Stage.GENERATE)
    assert "bread,3" in asked.request.sections["context"]
