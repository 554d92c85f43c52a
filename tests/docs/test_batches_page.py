"""docs/batches.md: its commands run in their order, and its tables name what there is."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.batch_results import result_object
from cli.results import exit_code
from orchestrator.client.batch_file import BatchShape, EntrySection
from orchestrator.client.batch_spec import DEFAULT_AT_ONCE
from orchestrator.contracts.batch import KEY_CHARS
from orchestrator.domain.batch import SEVERITY
from orchestrator.testing.installation import Installation
from orchestrator.testing.project_script import ProjectScript, chain
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.cli.test_batches import project, view

PAGE = (Path(__file__).parents[2] / "docs/batches.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)).splitlines()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with FakeVendorServer(ProjectScript(tasks=chain(1)).reply) as vendors:
        opened = Installation(tmp_path, vendors.environment())
        try:
            yield opened
        finally:
            opened.close()


def test_the_commands_work_in_their_order(installation: Installation) -> None:
    for name, text in FILES:
        (installation.folder / name).write_text(text, encoding="utf-8")
    batch = ""
    assert len(COMMANDS) >= 6
    for line in COMMANDS:
        arguments = line.removeprefix("./orch-cli ").replace("BATCH", batch).split()
        outcome = installation.run(*arguments)
        assert outcome.code == 0, f"{line}\n{outcome.err}"
        started = re.search(r"Started (\S+):", outcome.err)
        batch = batch or (started[1] if started else "")
    assert (installation.folder / "shop" / "REPORT.md").is_file()


def test_the_tables_name_every_field_and_command() -> None:
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, flags=re.MULTILINE))
    assert rows == {*BatchShape.model_fields, *EntrySection.model_fields}
    assert f"| `concurrency` | {DEFAULT_AT_ONCE} |" in PAGE
    assert f"at most {KEY_CHARS};" in PAGE
    shown = subprocess.run(
        [sys.executable, "-m", "cli.main", "batch", "--help"], capture_output=True, text=True, check=True
    )
    commands = set(re.findall(r"^  ([a-z]+) ", shown.stdout, flags=re.MULTILINE))
    assert not {name for name in commands if f"./orch-cli batch {name} " not in PAGE and f"batch {name}\n" not in PAGE}


def test_exit_codes_and_keys_are_those_that_there_are() -> None:
    codes = ", ".join(f"{status.value} ({exit_code(status)})" for status in SEVERITY)
    assert codes in " ".join(PAGE.split())
    example = result_object(view(project("a", "PENDING")))
    described = PAGE.split("is one object:")[1].split("`manifest` is the digest")[0]
    assert set(re.findall(r"`([a-z_]+)`", described)) == {*example, *example["projects"][0]}
