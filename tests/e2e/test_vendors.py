"""Real SDKs against fake vendors: who writes, who reviews, what it costs, and what happens when some are down."""

from pathlib import Path

import pytest

from orchestrator.catalog import ROUTING
from orchestrator.domain.money import micro
from orchestrator.domain.tasks import TaskType
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, wide
from orchestrator.testing.vendor_script import Reply, Rule
from tests.e2e.theatre import Theatre, summary

VENDORS = ("openai", "anthropic", "google")
# The vendor that would write, if it could.
FAVOURITE = next(model.split(":")[0] for model in ROUTING[TaskType.CODE_GENERATION] if model.split(":")[0] in VENDORS)


def test_costs_are_what_the_vendors_count(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=wide(3), revise=True).reply)
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert result["status"] == "SUCCESS"
    assert not result["simulated"]
    assert result["uncertain_usd"] == 0
    assert micro(result["spent_usd"]) == theatre.billed_micro()
    assert result["calls"] == len(theatre.requests)
    totals = summary(result)
    assert sum(micro(amount) for amount in totals["stages_usd"].values()) == micro(result["spent_usd"])
    of_the_project = sum(micro(totals["stages_usd"][stage]) for stage in ("plan", "judge"))
    assert of_the_project + sum(micro(task["spent_usd"]) for task in result["tasks"]) == micro(result["spent_usd"])
    for task in result["tasks"]:
        assert task["model"].split(":")[0] != task["reviewer"].split(":")[0]


@pytest.mark.parametrize(
    "reply",
    [Reply(status=503), Reply(status=401, error_type="authentication_error")],
    ids=["overloaded", "unauthorised"],
)
def test_one_vendor_down(theatre: Theatre, reply: Reply) -> None:
    down = FAVOURITE
    theatre.play(ProjectScript(tasks=wide(2), rules=(Rule(reply=reply, vendor=down),)).reply)
    outcome = theatre.run()
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert all(not task["model"].startswith(down) for task in result["tasks"])
    assert any(down in note for note in summary(result)["notes"])
    assert f"{down} was out of service" in (Path(result["output_dir"]) / "REPORT.md").read_text(encoding="utf-8")
    assert micro(result["spent_usd"]) == theatre.billed_micro()
    asked = sum(record.request.vendor == down for record in theatre.requests)
    assert asked <= 2 * 3 + 2  # three strikes, and what was under way beside them


@pytest.mark.long
def test_all_vendors_down(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(status=503))
    outcome = theatre.run()
    assert outcome.code == 7, outcome.err
    result = outcome.object
    assert result["status"] == "SYSTEM_FAILURE"
    assert result["spent_usd"] == 0
    assert result["reason"].strip()
    assert "\n" not in result["reason"]
    for vendor in VENDORS:
        assert vendor in result["reason"]
    assert "Traceback" not in outcome.err


def test_connections_refused(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=wide(1)).reply)
    theatre.vendors.refuse()
    try:
        outcome = theatre.run()
    finally:
        theatre.vendors.accept()
    assert outcome.code == 7, outcome.err
    assert theatre.requests == []
    assert outcome.object["uncertain_usd"] == 0


def test_budget_holds_at_any_concurrency(theatre: Theatre) -> None:
    tasks = tuple(_wordy(number) for number in range(1, 13))
    theatre.play(ProjectScript(tasks=tasks, latency_ms=50).reply)
    rich = theatre.run("--budget", "20", "--concurrency", "12")
    assert rich.code == 0, rich.err
    assert theatre.billed_micro() >= micro("0.50"), "the models are too cheap for this test"

    theatre.play(ProjectScript(tasks=tasks, latency_ms=50).reply)
    outcome = theatre.run("--budget", "0.02", "--concurrency", "12")
    assert outcome.code == 5, outcome.err
    result = outcome.object
    assert result["status"] == "BUDGET_EXHAUSTED"
    assert theatre.billed_micro() <= micro("0.02")
    assert micro(result["spent_usd"]) == theatre.billed_micro()
    finished = [task for task in result["tasks"] if task["status"] in ("COMPLETED", "DEGRADED")]
    assert finished, "nothing was finished"
    for task in finished:
        assert all((Path(result["output_dir"]) / path).is_file() for path in task["files"])


def _wordy(number: int) -> ScriptedTask:
    """A task whose file is long enough to cost something."""
    name = f"t{number:02d}"
    return ScriptedTask(id=name, files={f"{name}.txt": f"{name} says something at length.\n" * 400})
