"""What README.md says is true: its commands are run, its tables are compared with the code."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.results import exit_code, is_closed
from orchestrator.contracts.project import ProjectStatus
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LATER = ("policy", "dashboard")
TIMEOUT_S = 300


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A folder in which `./orch-cli` is the command line under test; what it started is stopped."""
    launcher = tmp_path / "orch-cli"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cli.main "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    yield tmp_path
    subprocess.run([launcher, "server", "down"], check=True, capture_output=True, timeout=TIMEOUT_S)


def test_the_commands_work_in_their_order(clone: Path) -> None:
    for block in blocks("yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        (clone / name).write_text(block, encoding="utf-8")
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=clone, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=clone / "out", check=False
    )
    assert tests.returncode == 0
    assert {"REPORT.md", "summary.json"} <= {path.name for path in (clone / "out").iterdir()}


def test_the_second_command_exists() -> None:
    done = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "pytest" in done.stdout


def test_commands_that_are_named_exist_and_none_is_promised() -> None:
    named = set(re.findall(r"\./orch-cli ([a-z-]+)", README))
    done = subprocess.run([sys.executable, "-m", "cli.main", "--help"], capture_output=True, text=True, check=True)
    existing = set(re.findall(r"^  ([a-z][a-z-]*)  ", done.stdout, flags=re.MULTILINE))
    assert named <= existing
    assert existing - named == set()
    assert not named & set(LATER)


def test_commands_about_a_run_are_written_as_they_are_typed(clone: Path) -> None:
    """Each is accepted, and finds that there is no such run."""
    (clone / "plan.yaml").write_text("tasks: [{id: t01, title: T, type: summarization, prompt: P}]\n", encoding="utf-8")
    rows = re.findall(r"^\| `(\./orch-cli [a-z-]+ ID[^`]*)` \|", README, flags=re.MULTILINE)
    assert len(rows) >= 15
    values = {"ID": "no-such-project", "TASK": "t01", "MODEL": "sim-east:east-chat", "FOLDER": "out"}
    for row in rows:
        command = re.sub("|".join(values), lambda found: values[found[0]], row)
        done = subprocess.run(
            command, shell=True, cwd=clone, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 2, f"{command}\n{done.stderr}"
        assert "no-such-project" in done.stderr, f"{command}\n{done.stderr}"


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+)", README, flags=re.MULTILINE))
    closed = {str(exit_code(status)): status.value for status in ProjectStatus if is_closed(status)}
    assert {code: name for code, name in table.items() if name in closed.values()} == closed


def test_the_table_of_vendors_is_that_of_the_settings() -> None:
    rows = re.findall(r"^\| [A-Za-z]+ \| (.*) \| `([A-Z]+_(?:BASE_URL|HOST))` \|$", README, flags=re.MULTILINE)
    assert {(tuple(re.findall(r"`([A-Z_]+)`", keys)), url) for keys, url in rows} == {
        ((*vendor.key_names, *(option.variable for option in vendor.options if option.required)), vendor.base_url_name)
        for vendor in VENDORS.values()
    }


def test_every_variable_that_is_named_is_read() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "orchestrator").rglob("*.py"))
    ours = set(re.findall(r"\bORCH(?:ESTRATOR)?_[A-Z_]+\b", README))
    assert ours
    assert {name for name in ours if name not in sources} == set()


def test_the_state_lies_where_the_table_says() -> None:
    home = Path(os.environ["HOME"])
    settings = load_settings({"HOME": str(home)})
    assert settings.home == home / ".local/state/orch"
    assert settings.cache_dir == home / ".cache/orch"
    assert settings.store_url == (settings.home / "artifacts").as_uri()
    for shown in ("~/.local/state/orch", "~/.cache/orch"):
        assert shown in README


def test_files_that_are_linked_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)
