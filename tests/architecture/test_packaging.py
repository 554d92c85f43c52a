"""What is installed: the wheel, the locks, and names at the top level that are ours alone."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def locked(name: str) -> dict[str, str]:
    """Version of each package in a lock."""
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_every_committed_file_of_our_packages(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True)
    committed = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    assert committed <= set(zipfile.ZipFile(wheel).namelist())


def test_no_other_distribution_owns_our_top_level_names() -> None:
    owners = packages_distributions()
    assert not {name: owners[name] for name in PACKAGES if set(owners.get(name, ())) - {"orch"}}


def test_console_scripts_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"orch-cli": "cli.main:main", "orch-worker": "workers.main:main"}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_the_lock_of_development_extends_the_one_of_users() -> None:
    users, development = (locked(name) for name in LOCKS)
    assert users.items() <= development.items()
    assert {"pytest", "mypy", "ruff"} <= development.keys() - users.keys()


def test_locks_cover_what_the_project_asks_for() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = config["dependency-groups"]
    users = config["project"]["dependencies"] + groups["build"]
    for lock, requirements in zip(LOCKS, (users, users + groups["dev"]), strict=True):
        names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}
        assert names <= locked(lock).keys(), "run `make lock`"
