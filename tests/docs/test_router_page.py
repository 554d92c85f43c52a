"""Every example of docs/router.md runs, and prints what the page says; the tables name what exists."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator.providers
from orchestrator.router.strategies import STRATEGIES
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_script import Reply, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/router.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```$)?", PAGE, flags=re.MULTILINE | re.DOTALL)
VENDORS_ANSWER = "A programming language.\n"


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, str]]:
    """An environment in which every vendor is the fake server."""
    with FakeVendorServer(from_rules([], Reply(text=VENDORS_ANSWER.strip()))) as server:
        yield {**os.environ, **server.environment(VENDORS)}


def run(code: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_an_example_prints_what_the_page_says(code: str, output: str, vendors: dict[str, str], tmp_path: Path) -> None:
    done = run(["-c", code], vendors, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (output or VENDORS_ANSWER)


def test_the_demo_runs_without_keys(tmp_path: Path) -> None:
    done = run([str(ROOT / "examples/routing_demo.py")], dict(os.environ), tmp_path)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for strategy in STRATEGIES:
        assert f"Strategy {strategy}:" in done.stdout
    assert "AllProvidersFailedError" in done.stdout


def test_the_tables_are_complete() -> None:
    for name in orchestrator.providers.__all__:
        assert f"`{name}" in PAGE, name
    for strategy in STRATEGIES:
        assert f"| `{strategy}` |" in PAGE
    for definition in VENDORS.values():
        assert not [key for key in definition.key_names if f"`{key}`" not in PAGE]
