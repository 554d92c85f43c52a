"""kill -9 of the worker, the server, both or the waiting command, at every point where it might hurt."""

from collections.abc import Iterator

import pytest

from tests.chaos.harness import POINTS, resume_server, script_for, verify
from tests.chaos.site import Project, Sites

VICTIMS = ("worker", "server", "both", "command")
SAMPLE = (
    ("worker", "stream"),
    ("both", "done"),
    ("server", "intent"),
    ("command", "export"),
)
MATRIX = [
    pytest.param(victim, point, marks=[pytest.mark.sample] if (victim, point) in SAMPLE else [])
    for point in POINTS
    for victim in VICTIMS
]


@pytest.fixture
def project(sites: Sites, request: pytest.FixtureRequest) -> Iterator[Project]:
    with sites.project(script_for(request.node.callspec.params["point"])) as started:
        yield started


@pytest.mark.parametrize(("victim", "point"), MATRIX)
def test_run_survives(project: Project, victim: str, point: str) -> None:
    project.begin()
    POINTS[point](project)
    project.kill(victim)
    resume_server(project)
    outcome = project.finish(victim, point)
    verify(project, outcome, victim, point)
