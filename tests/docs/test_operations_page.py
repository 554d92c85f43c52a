"""What docs/operations.md tells to type exists, its backup works, and its links lead somewhere."""

import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`(orch-cli [^`]+)`", TEXT.replace("\n", " "))
TYPED = sorted(
    {line[line.index("orch-cli") :] for block in BLOCKS for line in block.splitlines() if "orch-cli" in line}
)


@pytest.mark.parametrize("line", sorted({*TYPED, *INLINE}))
def test_every_command_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_the_backup_copies_a_database_that_is_in_use(tmp_path: Path) -> None:
    script = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)[0]
    home, target = tmp_path / "home", tmp_path / "target"
    (home / "temporal/1.0.0").mkdir(parents=True)
    (home / "artifacts/blobs").mkdir(parents=True)
    (home / "artifacts/blobs/b").write_bytes(b"kept")
    live = sqlite3.connect(home / "temporal/1.0.0/temporal.db")
    live.execute("PRAGMA journal_mode=WAL")
    live.execute("CREATE TABLE runs (id TEXT)")
    live.execute("INSERT INTO runs VALUES ('p1')")
    live.commit()  # in the log beside the database, not in it
    subprocess.run([sys.executable, "-c", script, str(home), str(target)], check=True, timeout=60)
    copy = sqlite3.connect(target / "temporal/1.0.0/temporal.db")
    assert copy.execute("SELECT id FROM runs").fetchall() == [("p1",)]
    assert (target / "artifacts/blobs/b").read_bytes() == b"kept"


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT)
    assert {"../deploy/README.md", "security.md", "observability.md", "upgrades.md"} <= set(targets)
    assert not [target for target in targets if not (PAGE.parent / target).exists()]
