"""A plan that waits for a person: shown, approved, edited, refused; at a terminal and without one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.testing.installation import Command
from orchestrator.testing.project_script import ProjectScript, wide
from tests.e2e.terminal import Terminal, editor
from tests.e2e.theatre import Theatre, project_id, said

PROJECT = ProjectScript(tasks=wide(3))


def begin(theatre: Theatre) -> tuple[Command, str]:
    """A run whose plan waits."""
    theatre.play(PROJECT.reply)
    command = theatre.begin("--approve", "plan", "--new-project")
    run = project_id(command)
    said(command, f"orch-cli approve {run}")
    return command, run


def plan_of(theatre: Theatre, run: str) -> str:
    outcome = theatre.installation.run("plan", run, "--yaml")
    assert outcome.code == 0, outcome.err
    return outcome.out


def test_a_plan_waits_until_it_is_approved(theatre: Theatre) -> None:
    command, run = begin(theatre)
    assert theatre.ask("status", run).object["status"] == "WAITING_APPROVAL"
    table = theatre.installation.run("plan", run).out
    assert all(task in table for task in ("t01", "t02", "t03", "Write t03", "t03.txt"))
    assert theatre.generated() == []
    approved = theatre.ask("approve", run)
    assert approved.code == 0, approved.err
    assert approved.object["request"] == "approve_plan"
    assert command.wait().code == 0, command.err
    assert theatre.generated() == ["t01", "t02", "t03"]
    events = theatre.installation.run("events", run)
    line = next(line for line in events.out.splitlines() if "plan_approved" in line)
    assert "(by " in line
    assert "@" in line


def test_an_edited_plan_is_the_one_that_is_carried_out(theatre: Theatre) -> None:
    command, run = begin(theatre)
    text = plan_of(theatre, run)
    edited = theatre.installation.folder / "edited.yaml"
    head, third = text[: text.index('  - id: "t03"')], text[text.index('  - id: "t03"') :]
    edited.write_text(head.replace("Write t01", "Compose t01"), encoding="utf-8")
    outcome = theatre.ask("approve", run, "--plan", str(edited))
    assert outcome.code == 0, outcome.err
    assert "t03" in third
    ended = command.wait()
    assert ended.code == 0, ended.err
    assert [(task["id"], task["title"]) for task in ended.object["tasks"]] == [
        ("t01", "Compose t01"),
        ("t02", "Write t02"),
    ]
    assert theatre.generated() == ["t01", "t02"]


def test_a_plan_that_is_handed_back_unchanged_is_accepted(theatre: Theatre) -> None:
    command, run = begin(theatre)
    same = theatre.installation.folder / "same.yaml"
    same.write_text(plan_of(theatre, run), encoding="utf-8")
    assert theatre.ask("approve", run, "--plan", str(same)).code == 0
    assert command.wait().code == 0, command.err


@pytest.mark.long
def test_a_plan_with_a_mistake_changes_nothing(theatre: Theatre) -> None:
    command, run = begin(theatre)
    wrong = theatre.installation.folder / "wrong.yaml"
    wrong.write_text(plan_of(theatre, run).replace("dependencies: []", "dependencies: [t9]", 1), encoding="utf-8")
    before = theatre.ask("status", run).object
    outcome = theatre.ask("approve", run, "--plan", str(wrong))
    assert outcome.code == 2
    assert "wrong.yaml:6:20: tasks[0].dependencies[0]: 't9' is no task" in outcome.err
    assert theatre.ask("status", run).object["status"] == before["status"] == "WAITING_APPROVAL"
    assert theatre.ask("cancel", run).code == 0
    assert command.wait().code == 8


def test_approving_what_does_not_wait_is_refused(theatre: Theatre) -> None:
    theatre.play(PROJECT.reply)
    run = theatre.run("--new-project").object["project_id"]
    outcome = theatre.installation.run("approve", run)
    assert outcome.code == 2
    assert "error: " in outcome.err
    assert "Traceback" not in outcome.err


@pytest.fixture
def terminals(theatre: Theatre) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def at_terminal(theatre: Theatre, terminals: list[Terminal], extra: dict[str, str] | None = None) -> Terminal:
    """A `start` whose plan is shown to a person, who is then asked."""
    theatre.play(PROJECT.reply)
    folder = theatre.installation.folder / f"at-terminal-{len(theatre.vendors.requests)}"
    arguments = ["start", "-p", "A tool", "-c", "It is done", "-o", str(folder), "-N", "--approve", "plan", "--json"]
    arguments += ["--no-enhance", "--no-advise"]
    terminal = Terminal(theatre.installation, *arguments, extra=extra)
    terminals.append(terminal)
    shown = terminal.read_until("Approve this plan?")
    assert "Write t03" in shown
    return terminal


def test_a_person_approves_at_the_terminal(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    terminal.type("")
    terminal.read_until("Approve this plan?")
    assert theatre.generated() == []
    terminal.type("y")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert '"SUCCESS"' in out
    assert theatre.generated() == ["t01", "t02", "t03"]


def test_a_person_edits_at_the_terminal_until_the_plan_is_right(theatre: Theatre, terminals: list[Terminal]) -> None:
    folder = theatre.installation.folder
    terminal = at_terminal(theatre, terminals, editor(folder, "code_generation", "summarization"))
    terminal.type("e")
    shown = terminal.read_until("Approve this plan?")
    assert "summarization" in shown
    terminal.type("y")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert '"summarization"' in out


def test_a_mistake_at_the_terminal_leads_to_the_question_again(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals, editor(theatre.installation.folder, "type: code", "type: cod"))
    terminal.type("e")
    assert "did you mean 'code_generation'?" in terminal.read_until("Approve this plan?")
    terminal.type("n")
    assert terminal.end()[0] == 8, terminal.shown
    assert theatre.generated() == []


@pytest.mark.long
def test_a_question_goes_away_when_somebody_else_decides(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    run = terminal.shown.split("The plan of ", 1)[1].split(":", 1)[0]
    assert theatre.ask("approve", run).code == 0
    terminal.read_until("The plan is decided")
    assert terminal.end()[0] == 0, terminal.shown


def test_who_does_not_answer_is_told_the_commands_and_the_run_waits(
    theatre: Theatre, terminals: list[Terminal]
) -> None:
    terminal = at_terminal(theatre, terminals)
    run = terminal.shown.split("The plan of ", 1)[1].split(":", 1)[0]
    terminal.close_input()
    terminal.read_until(f"orch-cli approve {run}")
    assert theatre.ask("status", run).object["status"] == "WAITING_APPROVAL"
    assert theatre.ask("approve", run).code == 0
    assert terminal.end()[0] == 0, terminal.shown


def test_ctrl_c_at_the_question_detaches(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    run = terminal.shown.split("The plan of ", 1)[1].split(":", 1)[0]
    terminal.process.send_signal(2)
    code, _ = terminal.end()
    assert code == 130
    assert f"orch-cli watch {run}" in terminal.shown
    assert theatre.ask("status", run).object["status"] == "WAITING_APPROVAL"
    assert theatre.ask("cancel", run).code == 0


@pytest.mark.long
def test_who_approves_by_command_at_a_terminal_is_asked_too(theatre: Theatre, terminals: list[Terminal]) -> None:
    command, run = begin(theatre)
    for answer, code in (("n", 1), ("y", 0)):
        terminal = Terminal(theatre.installation, "approve", run)
        terminals.append(terminal)
        terminal.read_until("Approve this plan?")
        terminal.type(answer)
        assert terminal.end()[0] == code, terminal.shown
    assert command.wait().code == 0, command.err
    assert Path(command.wait().object["output_dir"]).is_dir()
