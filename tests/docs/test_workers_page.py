"""docs/workers.md and docs/upgrades.md: what they tell to type is understood, and their tables name what there is."""

import re
from pathlib import Path

import pytest

from orchestrator.contracts import names
from orchestrator.contracts.serving import Serving, parse_serving
from orchestrator.settings.limits import parse_rate_limits
from workers.build import GRACE, MAX_CALLS
from workers.queues import Work, separate_queues

DOCS = Path(__file__).parents[2] / "docs"
WORKERS = (DOCS / "workers.md").read_text(encoding="utf-8")
UPGRADES = (DOCS / "upgrades.md").read_text(encoding="utf-8")
TYPED = re.findall(r"--queues ([a-z:,]+)", WORKERS + UPGRADES)


@pytest.mark.parametrize("typed", TYPED)
def test_queues_can_be_typed_as_shown(typed: str) -> None:
    assert isinstance(parse_serving(typed), Serving)


def test_rates_can_be_typed_as_shown() -> None:
    (shown,) = re.findall(r'ORCH_RATE_LIMITS="([^"]+)"', WORKERS)
    assert parse_rate_limits(shown)["openai"] == 5.0


def test_the_table_of_queues_is_whole() -> None:
    shown = set(re.findall(r"^\| `(orch-[a-zA-Z-]+)`", WORKERS, re.MULTILINE))
    served = separate_queues(Work((object,), (print,), (print,)), ("VENDOR", names.SIMULATED), {})
    assert shown == {queue.name for queue in served}


def test_figures_are_those_of_the_code() -> None:
    assert f"up to {MAX_CALLS} calls at once per vendor" in WORKERS
    assert f"at\nmost {GRACE.total_seconds() / 60:g} minutes" in WORKERS
    rows = re.findall(r"^\| .* \| (\d) \|$", WORKERS, re.MULTILINE)
    assert [int(row) for row in rows] == [names.PRIORITY_ATTENDED, names.PRIORITY_UNATTENDED]


def test_the_deployment_is_named_as_it_is() -> None:
    assert f"--deployment-name {names.DEPLOYMENT} " in UPGRADES
