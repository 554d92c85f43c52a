"""docs/schedules.md: its commands are run in their order, its snippets are what the code says."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client.project_file import load_project_file
from orchestrator.contracts.delivery import FinishedRun
from orchestrator.domain.delivery import sign
from orchestrator.testing.installation import Installation
from tests.unit.test_delivery import SECRET

PAGE = (Path(__file__).parents[2] / "docs/schedules.md").read_text(encoding="utf-8")
PROJECT = "project: Convert Celsius to Fahrenheit\ncriteria: Tests pass\nbudget: 2.0\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_commands_work_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    installation = Installation(tmp_path)
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 8
    try:
        for command in commands:
            program, *arguments = shlex.split(command)
            assert program == "./orch-cli"
            done = installation.run(*arguments)
            assert done.code == 0, f"{command}\n{done.err}"
        assert installation.run("schedule", "delete", "nightly").code == 0
    finally:
        installation.close()


def test_the_receiver_of_the_page_knows_our_messages() -> None:
    [code] = blocks("python")
    page: dict[str, Any] = {}
    exec(code, page)
    for secret in (SECRET, "plain text"):
        now = int(page["time"].time())
        headers = {
            "webhook-id": "m",
            "webhook-timestamp": str(now),
            "webhook-signature": sign(secret, "m", now, b"{}"),
        }
        assert page["is_ours"](headers, b"{}", secret)
        assert not page["is_ours"](headers, b"{ }", secret) and not page["is_ours"](headers, b"{}", "other")


def test_the_example_of_deliveries_is_a_project_file(tmp_path: Path) -> None:
    [example] = blocks("yaml")
    (tmp_path / "project.yaml").write_text(example, encoding="utf-8")
    delivery = load_project_file(tmp_path / "project.yaml", lambda name: name).delivery
    assert delivery.webhook and delivery.command and delivery.output_dir


@pytest.mark.parametrize("name", sorted(FinishedRun.model_fields.keys() - {"kind"}))
def test_what_a_webhook_is_told_stands_on_the_page(name: str) -> None:
    assert f"`{name.replace('_micro', '_usd')}`" in PAGE


def test_the_variables_of_the_page_are_those_of_the_code() -> None:
    source = (Path(__file__).parents[2] / "orchestrator/settings/delivery.py").read_text(encoding="utf-8")
    variables = set(re.findall(r'"(ORCH_[A-Z_]+)"', source))
    assert variables and variables <= set(re.findall(r"`(ORCH_[A-Z_]+)`", PAGE))
