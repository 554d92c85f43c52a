"""kill -9 of each part of a cluster in mid-run: the run ends as it would have, and nothing is paid twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.testing.installation import Installed
from orchestrator.testing.project_script import ProjectScript, text_task
from tests.chaos.harness import after_intent, verify_any_moment
from tests.chaos.site import Project, Site
from tests.cluster.installation import ClusterInstallation

VICTIMS = {
    "database": ("database",),
    "server": ("server",),
    "worker": ("worker",),
    "everything": ("database", "server", "worker"),
}
LATENCY_MS = 300.0
RESTART_S = 30.0


@pytest.fixture
def project(tmp_path: Path, installed: Installed) -> Iterator[Project]:
    tasks = tuple(text_task(number, *((number // 2,) if number > 1 else ())) for number in range(1, 7))
    site = Site(tmp_path, ProjectScript(tasks=tasks, latency_ms=LATENCY_MS), installed)
    started = site.project()
    try:
        yield started
    finally:
        started.close()
        site.close()


def kill(project: Project, victim: str) -> None:
    installation = project.installation
    assert isinstance(installation, ClusterInstallation)
    kept = {
        "database": installation.cluster.postgres.process,
        "server": installation.cluster.temporal,
        "worker": installation.workers[0],
    }[victim]
    assert kept.replace(RESTART_S)


@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS)
def test_a_part_of_the_cluster_dies(project: Project, victims: tuple[str, ...]) -> None:
    project.begin()
    after_intent(project)
    for victim in victims:
        kill(project, victim)
    assert project.command is not None
    verify_any_moment(project, project.command.wait())


def test_the_database_is_away_for_longer_than_a_call_takes(project: Project) -> None:
    """Answers that arrive meanwhile wait in the journal and in the worker."""
    project.begin()
    after_intent(project)
    installation = project.installation
    assert isinstance(installation, ClusterInstallation)
    database = installation.cluster.postgres
    database.process.rest()
    asked = len(project.received())
    project.wait_for(
        "answers to all that was asked",
        lambda: sum(event["event"] == "finished" for event in project.events()) >= asked,
    )
    database.process.wake()
    assert project.command is not None
    result = verify_any_moment(project, project.command.wait())
    assert result["uncertain_usd"] == 0, "an answer that came while the database was away was thrown away"
