"""A scaffold plus nothing installs into a clean environment, passes its own checks, builds and starts."""

import json
from pathlib import Path

import pytest

from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import scaffold
from tests.scaffolds.rig import Software, get

NAME = '2048: "Ça & là" — l\'été <des> {{ jeux }}'
TITLE = "App 2048 Ca La L Ete Des Jeux"
PYTHON = [each for each in AppType if each not in (AppType.NEXTJS, AppType.REACT_FASTAPI)]


def checked(app_type: AppType, folder: Path) -> Software:
    """The scaffold, installed, checked, tested and built by the commands of its README."""
    software = Software(folder, scaffold(app_type, NAME, Dependencies(), ()))
    software.install()
    for section in ("Check", "Test", "Build"):
        for command in software.commands(section):
            software.run(command)
    return software


@pytest.mark.parametrize("app_type", PYTHON)
def test_python_types(app_type: AppType, tmp_path: Path) -> None:
    software = checked(app_type, tmp_path)
    if app_type in (AppType.FASTAPI, AppType.FLASK, AppType.STATIC_SITE):
        answers(software)
    else:
        runs(software, app_type)


def answers(software: Software) -> None:
    (command,) = software.commands("Run")
    with software.serving(command) as address:
        status, text = get(f"{address}/")
        assert status == 200
        assert text
        assert get(f"{address}/missing")[0] == 404


def runs(software: Software, app_type: AppType) -> None:
    for command in software.commands("Run"):
        software.run(command)
        if app_type is not AppType.GENERIC:
            assert "usage:" in software.run(command, "--help")
    if app_type is AppType.CLI:
        assert "usage:" in software.run("app-2048-ca-la-l-ete-des-jeux --help")
    if app_type is AppType.LIBRARY:
        assert not software.commands("Run")
        software.run("python -c 'import app_2048_ca_la_l_ete_des_jeux as ours; print(ours.merge)'")


@pytest.mark.long
def test_react_with_fastapi(tmp_path: Path) -> None:
    software = checked(AppType.REACT_FASTAPI, tmp_path)
    software.run("npm test")
    (command,) = software.commands("Run")
    with software.serving(command) as address:
        assert f"<title>{TITLE}</title>" in get(f"{address}/")[1]
        assert json.loads(get(f"{address}/api/message")[1]) == {"message": "Hello from the backend!"}


@pytest.mark.long
def test_nextjs(tmp_path: Path) -> None:
    software = checked(AppType.NEXTJS, tmp_path)
    (command,) = software.commands("Run")
    with software.serving(command) as address:
        assert f"<h1>{TITLE}</h1>" in get(f"{address}/")[1]
        assert json.loads(get(f"{address}/api/health")[1]) == {"status": "ok"}
