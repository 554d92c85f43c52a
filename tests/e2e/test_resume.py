"""Runs that stopped go on where they were, and pay nothing twice; runs that go on are followed, not doubled."""

from collections.abc import Iterator

import pytest

from orchestrator.domain.money import micro
from orchestrator.testing.installation import Outcome
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, chain, task_of, wide
from orchestrator.testing.vendor_script import Reply, VendorRequest
from tests.e2e.terminal import Terminal
from tests.e2e.theatre import Theatre, project_id, said


def wordy(number: int) -> ScriptedTask:
    """A task whose file is long enough to cost something."""
    name = f"t{number:02d}"
    return ScriptedTask(id=name, files={f"{name}.txt": f"{name} says something at length.\n" * 400})


DEAR = ProjectScript(tasks=tuple(wordy(number) for number in range(1, 9)))
SMALL = ProjectScript(tasks=wide(2))


def done(outcome: Outcome) -> list[str]:
    return [task["id"] for task in outcome.object["tasks"] if task["status"] == "COMPLETED"]


def exhausted(theatre: Theatre, *options: str) -> Outcome:
    theatre.play(DEAR.reply)
    outcome = theatre.run("--budget", "0.02", "--concurrency", "4", *options)
    assert outcome.code == 5, outcome.err
    return outcome


def test_an_exhausted_run_goes_on_with_a_larger_budget(theatre: Theatre) -> None:
    first = exhausted(theatre, "--new-project")
    run = first.object["project_id"]
    before, finished = theatre.billed_micro(), set(done(first))
    asked = len(theatre.requests)
    assert finished
    too_low = theatre.ask("resume", run, "--budget", "0.000001")
    assert too_low.code == 2, too_low.err
    outcome = theatre.ask("resume", run, "--budget", "5")
    assert outcome.code == 0, outcome.err
    assert outcome.object["project_id"] == run
    assert outcome.object["max_usd"] == 5
    again = {task_of(record.request) for record in theatre.requests[asked:]}
    assert again
    assert not again & finished, "what was finished is asked for again"
    assert len(theatre.stage("plan")) == 1
    assert micro(outcome.object["spent_usd"]) == theatre.billed_micro() > before
    assert outcome.object["output_dir"] == first.object["output_dir"]
    assert "project plan #1" in first.err
    assert "project plan #1" not in outcome.err, "what happened before is told again"
    assert "goes on where the last run stopped" in outcome.err


def test_start_resumes_the_same_project_after_saying_so(theatre: Theatre) -> None:
    texts = ("--project", "Resume me by my text", "--criteria", "all is well")
    first = exhausted(theatre, *texts)
    run = first.object["project_id"]
    outcome = theatre.run(*texts, "--budget", "5", "--output-dir", first.object["output_dir"])
    assert outcome.code == 0, outcome.err
    assert outcome.object["project_id"] == run
    assert f"This project ended as BUDGET_EXHAUSTED: resuming {run}." in outcome.err
    assert outcome.object["max_usd"] == 5
    assert len(theatre.stage("plan")) == 1


def test_start_resume_is_resume(theatre: Theatre) -> None:
    run = exhausted(theatre, "--new-project").object["project_id"]
    outcome = theatre.ask("start", "--resume", run, "--budget", "5")
    assert (outcome.code, outcome.object["project_id"]) == (0, run), outcome.err


def test_a_new_project_is_new(theatre: Theatre) -> None:
    texts = ("--project", "Never resume me", "--criteria", "all is well")
    run = exhausted(theatre, *texts).object["project_id"]
    theatre.play(SMALL.reply)
    outcome = theatre.run(*texts, "--new-project")
    assert outcome.code == 0, outcome.err
    assert outcome.object["project_id"] != run


def test_a_complete_run_has_nothing_to_resume(theatre: Theatre) -> None:
    theatre.play(SMALL.reply)
    run = theatre.run("--new-project").object["project_id"]
    asked = len(theatre.requests)
    outcome = theatre.ask("resume", run)
    assert outcome.code == 0
    assert f"{run} is complete: there is nothing to resume" in outcome.err
    assert outcome.object["status"] == "SUCCESS"
    assert len(theatre.requests) == asked


def test_a_degraded_run_is_resumed_with_the_flag_only(theatre: Theatre) -> None:
    theatre.play(SMALL.model_copy(update={"score": 0.3}).reply)
    first = theatre.run("--new-project")
    assert first.code == 3, first.err
    run, asked = first.object["project_id"], len(theatre.requests)
    outcome = theatre.ask("resume", run)
    assert outcome.code == 3
    assert "--retry-failed" in outcome.err
    assert len(theatre.requests) == asked
    theatre.play(SMALL.reply)
    outcome = theatre.ask("resume", run, "--retry-failed")
    assert outcome.code == 0, outcome.err
    assert theatre.generated() == ["t01", "t02"]


def test_failed_tasks_start_afresh_and_done_ones_stay(theatre: Theatre) -> None:
    def half(request: VendorRequest) -> Reply:
        return Reply(text="") if task_of(request) == "t02" else SMALL.reply(request)

    theatre.play(half)
    first = theatre.run("--new-project")
    assert first.code == 4, first.err
    spent = micro(first.object["spent_usd"])
    theatre.play(SMALL.reply)
    outcome = theatre.ask("resume", first.object["project_id"])
    assert outcome.code == 0, outcome.err
    assert theatre.generated() == ["t02"]
    assert micro(outcome.object["spent_usd"]) == spent + theatre.billed_micro()


@pytest.mark.long
def test_a_run_without_any_result_is_resumed(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(status=503))
    first = theatre.run("--new-project")
    assert first.code == 7, first.err
    theatre.play(SMALL.reply)
    outcome = theatre.ask("resume", first.object["project_id"])
    assert outcome.code == 0, outcome.err


def test_a_cancelled_run_is_resumed_and_followed_after_a_detach(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(6), latency_ms=200).reply)
    command = theatre.begin("--new-project")
    run = project_id(command)
    theatre.wait_for(lambda: len(theatre.stage("generate")) >= 2)
    assert theatre.installation.run("cancel", run).code == 0
    assert command.wait().code == 8
    theatre.play(ProjectScript(tasks=chain(6)).reply)
    detached = theatre.ask("resume", run, "--detach")
    assert detached.code == 0, detached.err
    outcome = theatre.ask("watch", run)
    assert outcome.code == 0, outcome.err
    assert "t01" not in theatre.generated()


def test_start_of_a_running_project_follows_it(theatre: Theatre) -> None:
    texts = ("--project", "Only one of me at a time", "--criteria", "all is well")
    theatre.play(ProjectScript(tasks=chain(4), latency_ms=300).reply)
    first = theatre.begin(*texts)
    run = project_id(first)
    theatre.wait_for(lambda: bool(theatre.stage("plan")))
    second = theatre.begin(*texts, "--budget", "3")
    err = said(second, f"This project is running already: following {run}.")
    assert "Started " not in err
    outcomes = (first.wait(), second.wait())
    assert [outcome.code for outcome in outcomes] == [0, 0], second.err
    assert {outcome.object["project_id"] for outcome in outcomes} == {run}
    assert outcomes[1].object["max_usd"] == 8
    assert len(theatre.stage("plan")) == 1


def test_a_run_that_waits_for_money_says_so_and_goes_on(theatre: Theatre) -> None:
    theatre.play(DEAR.reply)
    command = theatre.begin("--budget", "0.02", "--on-exhausted", "pause", "--new-project")
    run = project_id(command)
    said(command, f"orch-cli budget {run} --max-usd")
    assert theatre.ask("status", run).object["status"] == "PAUSED"
    assert theatre.billed_micro() <= micro("0.02")
    shown = theatre.ask("budget", run)
    assert shown.object["max_usd"] == 0.02
    raised = theatre.ask("budget", run, "--max-usd", "5")
    assert raised.code == 0, raised.err
    assert raised.object["max_usd"] == 5
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    assert micro(outcome.object["spent_usd"]) == theatre.billed_micro()
    closed = theatre.ask("budget", run)
    assert micro(closed.object["spent_usd"]) == theatre.billed_micro()
    assert sum(micro(phase["spent_usd"]) for phase in closed.object["phases"]) == theatre.billed_micro()


def test_resume_of_a_paused_run_returns_at_once(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(4), latency_ms=200).reply)
    command = theatre.begin("--new-project")
    run = project_id(command)
    theatre.wait_for(lambda: bool(theatre.stage("generate")))
    assert theatre.ask("pause", run).object["status"] == "PAUSED"
    wrong = theatre.ask("resume", run, "--retry-failed")
    assert wrong.code == 2
    outcome = theatre.ask("resume", run, "--budget", "9")
    assert outcome.code == 0, outcome.err
    assert outcome.object["max_usd"] == 9
    assert outcome.object["status"] != "PAUSED"
    assert command.wait().code == 0, command.err


def test_similar_projects_are_named_and_a_new_one_is_started(theatre: Theatre) -> None:
    words = "quaternion slerp interpolation library for orbital cameras"
    run = exhausted(theatre, "--project", f"A {words}").object["project_id"]
    theatre.play(SMALL.reply)
    outcome = theatre.run("--project", f"One {words}, fast")
    assert outcome.code == 0, outcome.err
    assert f"orch-cli resume {run}" in outcome.err
    assert outcome.object["project_id"] != run


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_similar_projects_are_offered_at_a_terminal(theatre: Theatre, terminals: list[Terminal]) -> None:
    words = "bezier offset curve toolkit with adaptive flattening"
    run = exhausted(theatre, "--project", f"A {words}").object["project_id"]
    arguments = ("-p", f"My {words}", "-c", "It is done", "--budget", "5", "--json")
    terminal = Terminal(theatre.installation, "start", *arguments)
    terminals.append(terminal)
    terminal.read_until("Go on with one of them?")
    assert run in terminal.shown
    terminal.type("7")
    terminal.read_until("Go on with one of them?")
    terminal.type("1")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert f'"{run}"' in out
    assert len(theatre.stage("plan")) == 1
