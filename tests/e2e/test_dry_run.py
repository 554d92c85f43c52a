"""`start --dry-run=plan` pays for one planning request, shows the plan, and leaves a run that a resume carries out."""

from orchestrator.domain.money import micro
from orchestrator.testing.project_script import ProjectScript, chain
from orchestrator.testing.vendor_script import Reply
from tests.e2e.theatre import Theatre

SCRIPT = ProjectScript(tasks=chain(3))


def test_a_planned_project_costs_its_plan_and_is_carried_out_by_a_resume(theatre: Theatre) -> None:
    theatre.play(SCRIPT.reply)
    planned = theatre.run("--dry-run=plan")
    assert planned.code == 0, planned.err
    made = planned.object
    assert len(theatre.requests) == len(theatre.stage("plan")) == 1
    assert micro(made["spent_usd"]) == theatre.billed_micro() > 0
    assert [task["id"] for task in made["tasks"]] == made["critical_path"] == ["t01", "t02", "t03"]
    assert made["mermaid"].startswith("flowchart LR")
    plan_cost = next(stage["cost_usd"] for stage in made["stages"] if stage["stage"] == "plan")
    for name, whole in made["cost_usd"].items():
        assert micro(whole) == micro(plan_cost[name]) + sum(micro(task["cost_usd"][name]) for task in made["tasks"])

    run = made["project_id"]
    assert made["next"] == f"orch-cli resume {run}"
    status = theatre.ask("status", run).object
    assert status["status"] == "CANCELLED"
    assert status["reason"].startswith("planned only")

    done = theatre.ask("resume", run)
    assert done.code == 0, done.err
    assert len(theatre.stage("plan")) == 1
    assert theatre.generated() == ["t01", "t02", "t03"]
    assert micro(done.object["spent_usd"]) == theatre.billed_micro() <= micro(made["cost_usd"]["high"])


def test_without_a_plan_the_command_exits_by_status(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(text=""))
    outcome = theatre.run("--dry-run=plan")
    assert outcome.code == 7, outcome.err
    assert outcome.object["reason"].startswith("no plan")


def test_an_estimate_asks_no_vendor(theatre: Theatre) -> None:
    theatre.play(SCRIPT.reply)
    outcome = theatre.run("--dry-run")
    assert outcome.code == 0, outcome.err
    assert outcome.object["cost_usd"]["expected"] > 0
    assert theatre.requests == []
