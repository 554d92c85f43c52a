"""Every example of docs/python.md and every cheap one of examples/ runs, on one server with simulated models."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

import orchestrator
from orchestrator.hooks import EventType
from tests.cli.command import COMMAND

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
SIDE_BY_SIDE = 3  # they mostly wait
TIMEOUT_S = 400

# What each example prints, in the order of the page.
PRINTS = [
    r"Status: SUCCESS\nSpent: \$0\.0000\nScore: 0\.9\d+\nTasks completed: 8\n",
    r"my-project-001 SUCCESS True\n",
    r"SUCCESS pytest passes 8\n",
    r"2\.0 SUCCESS\n",
    r"Estimated total: \$0\.0000\nRisk level: low\nSUCCESS\n",
    r"8 4 \$0\.0000 low\nflowchart LR\n(.*\n)+",
    r"SUCCESS\n",
    r"",
    r"(✗ .*: validator failed\n|✓ [a-z-]+: score=0\.\d{3}, cost=\$0\.0000\n)+",
    r"ProjectStarted \{.*\n(Task\w+ \{.*\n)+ProjectCompleted \{.*'status': 'SUCCESS'.*\n",
    r"(✓ [a-z-]+: 0\.\d{3}\n)+🏁 Project finished: SUCCESS\n",
    (
        r"✓ Status: (True|False)\n✓ App Type: fastapi\n✓ Architecture Pattern: layered\n✓ Topology: monolith\n"
        r"✓ API Paradigm: rest\n✓ Data Storage: .*\n✓ Rationale: .+\n✓ Files generated: \d\d+\n"
    ),
    r"Structural pattern: .+\nTopology: .+\nAPI paradigm: .+\nData paradigm: .+\nRationale: .+\n",
]
READS = str(next(number for number, code in enumerate(EXAMPLES) if "StateManager" in code))
FILES = ["rate-limiter.yaml", "todo-cli.yaml", "csv-report.json"]


class Ran(NamedTuple):
    outcomes: dict[str, subprocess.CompletedProcess[str]]
    folder: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """All examples, run beside each other in one folder."""
    folder = tmp_path_factory.mktemp("examples")
    environment = {**os.environ, "ORCH_HOME": str(folder / "home"), "ORCH_SIM_LATENCY_MS": "5"}

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    commands = {str(number): [sys.executable, "-W", "error", "-c", code] for number, code in enumerate(EXAMPLES)}
    for name in FILES:
        file = str(ROOT / "examples" / name)
        command = (
            [sys.executable, "-m", "orchestrator"] if name.endswith(".json") else [*COMMAND, "start", "--no-input"]
        )
        commands[name] = [*command, "--new-project", "--file", file, "-o", f"out-{name}"]
    try:
        assert run([*COMMAND, "server", "up"]).returncode == 0
        reads = commands.pop(READS)  # what another example has left
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            outcomes = dict(zip(commands, pool.map(run, commands.values()), strict=True))
        outcomes[READS] = run(reads)
        yield Ran(outcomes, folder)
    finally:
        run([*COMMAND, "server", "down"])


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_page_runs(ran: Ran, number: int) -> None:
    outcome = ran.outcomes[str(number)]
    assert outcome.returncode == 0, outcome.stderr
    assert re.fullmatch(PRINTS[number], outcome.stdout), outcome.stdout
    assert not outcome.stderr


@pytest.mark.parametrize("name", FILES)
def test_an_example_file_becomes_software(ran: Ran, name: str) -> None:
    outcome = ran.outcomes[name]
    assert outcome.returncode == 0, outcome.stderr
    assert (ran.folder / f"out-{name}" / "pyproject.toml").is_file()


def test_the_users_own_file_is_part_of_the_software(ran: Ran) -> None:
    ours = ROOT / "examples/data/sales.csv"
    assert (ran.folder / "out-csv-report.json/sales.csv").read_bytes() == ours.read_bytes()


def test_the_application_lies_where_it_was_asked_for(ran: Ran) -> None:
    assert (ran.folder / "my_api/REPORT.md").is_file()


def test_what_each_example_prints_is_known() -> None:
    assert len(PRINTS) == len(EXAMPLES)


def test_the_page_names_every_event_of_hooks() -> None:
    assert all(f"`{event.name}`" in PAGE for event in EventType)


def test_every_public_name_is_there() -> None:
    assert all(getattr(orchestrator, name) for name in orchestrator.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = orchestrator.Nothing
