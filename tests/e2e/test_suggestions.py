"""Suggestions and advice before the plan: chosen one by one at a terminal, all applied without one, on their own."""

from collections.abc import Iterator

import pytest

from orchestrator.domain.answers import ArchitectureAnswer, Suggestion, SuggestionKind
from orchestrator.testing.project_script import ProjectScript, wide
from orchestrator.testing.vendor_script import Reply
from tests.e2e.terminal import Terminal
from tests.e2e.theatre import Theatre

SUGGESTIONS = tuple(
    Suggestion(kind=SuggestionKind.RISK, title=title, description="It matters.", patch_project=f"{title} is handled.")
    for title in ("Rain", "Snow", "Wind")
)
PROJECT = ProjectScript(
    tasks=wide(2),
    suggestions=SUGGESTIONS,
    architecture=ArchitectureAnswer(app_type="generic", structural_pattern="layered", rationale="It is small."),
)
QUESTION = "Add it?"


@pytest.fixture
def terminals(theatre: Theatre) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def at_terminal(theatre: Theatre, terminals: list[Terminal]) -> Terminal:
    """A `start` that asks about the first suggestion."""
    theatre.play(PROJECT.reply)
    folder = theatre.installation.folder / f"suggested-{len(theatre.vendors.requests)}"
    terminal = Terminal(
        theatre.installation, "start", "-p", "A tool", "-c", "It is done", "-o", str(folder), "-N", "--json"
    )
    terminals.append(terminal)
    terminal.read_until(QUESTION)
    return terminal


def planned_text(theatre: Theatre) -> str:
    (record,) = theatre.stage("plan")
    return record.request.prompt


def test_a_person_chooses_one_by_one(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    assert "1 of 3  risk: Rain" in terminal.shown
    assert "adds to the project: Rain is handled." in terminal.shown
    assert "Snow" not in terminal.shown
    assert len(theatre.requests) == 1
    terminal.type("")
    assert "2 of 3  risk: Snow" in terminal.read_until(QUESTION)
    terminal.type("what?")
    terminal.read_until(QUESTION)
    terminal.type("n")
    assert "3 of 3  risk: Wind" in terminal.read_until(QUESTION)
    terminal.type("y")
    terminal.read_until("2 of 3 suggestions are applied")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert '"structural_pattern": "layered"' in out
    assert "A tool\nRain is handled.\nWind is handled.\n" in planned_text(theatre)


def test_a_person_ends_the_questions(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    terminal.type("n")
    terminal.read_until(QUESTION)
    terminal.type("a")
    terminal.read_until("2 of 3 suggestions are applied")
    assert terminal.end()[0] == 0, terminal.shown
    assert "A tool\nSnow is handled.\nWind is handled.\n" in planned_text(theatre)


@pytest.mark.long
def test_who_does_not_answer_is_told_the_commands(theatre: Theatre, terminals: list[Terminal]) -> None:
    terminal = at_terminal(theatre, terminals)
    run = terminal.shown.split("for the text of ", 1)[1].split(":", 1)[0]
    terminal.close_input()
    terminal.read_until(f"orch-cli suggestions {run} --accept")
    status = theatre.ask("status", run).object
    assert (status["status"], status["reason"]) == (
        "WAITING_APPROVAL",
        "3 suggestions for the project text wait for a choice",
    )
    offered = theatre.ask("suggestions", run).object["suggestions"]
    assert [(one["id"], one["title"]) for one in offered] == [("s1", "Rain"), ("s2", "Snow"), ("s3", "Wind")]
    assert "2  risk: Snow" in theatre.installation.run("suggestions", run).out
    wrong = theatre.installation.run("suggestions", run, "--accept", "s2,s9")
    assert wrong.code == 2
    assert "there is no suggestion 's9'" in wrong.err
    assert theatre.ask("suggestions", run, "--accept", "s2").object["result"] == "1 of 3 suggestions are applied"
    assert terminal.end()[0] == 0, terminal.shown
    assert "A tool\nSnow is handled.\n" in planned_text(theatre)


def test_without_a_terminal_all_are_applied(theatre: Theatre) -> None:
    theatre.play(PROJECT.reply)
    command = theatre.begin_in_full("--new-project", "--app-type", "library")
    outcome = command.wait()
    assert outcome.code in (0, 3), outcome.err
    assert outcome.object["architecture"]["app_type"] == "library"
    assert len(theatre.stage("enhance")) == len(theatre.stage("advise")) == 1
    assert "\nRain is handled.\nSnow is handled.\nWind is handled.\n" in planned_text(theatre)
    assert "app type: library" in planned_text(theatre)
    assert "Architecture\n  app type     library" in outcome.err


def test_a_project_that_is_started_again_is_found_by_its_text_as_it_was_written(theatre: Theatre) -> None:
    no_plan = True
    theatre.play(lambda request: Reply(text="") if no_plan and request.stage == "plan" else PROJECT.reply(request))
    folder = theatre.installation.folder / "again"
    command = ("start", "-p", "A tool that waits", "-c", "It is done", "-o", str(folder), "--json", "--no-input")
    first = theatre.installation.run(*command)
    assert first.code == 7, first.err
    assert theatre.ask("resume", first.object["project_id"]).code == 7
    no_plan = False
    again = theatre.installation.run(*command)
    assert again.code == 0, again.err
    assert again.object["project_id"] == first.object["project_id"]
    assert len(theatre.stage("enhance")) == len(theatre.stage("advise")) == 1
    assert "Wind is handled." in theatre.stage("plan")[-1].request.prompt
    report = (folder / "REPORT.md").read_text(encoding="utf-8")
    assert "As it was written" in report


def test_advice_on_its_own_costs_one_call_and_can_be_built(theatre: Theatre) -> None:
    theatre.play(PROJECT.reply)
    advised = theatre.ask("advise", "--project", "A tool for the garden", "--criteria", "It waters")
    assert advised.code == 0, advised.err
    assert advised.object["architecture"]["structural_pattern"] == "layered"
    assert len(theatre.requests) == len(theatre.stage("advise")) == 1
    shown = theatre.installation.run("advise", "-p", "A tool for the garden")
    assert "why       It is small." in shown.out
    built = theatre.ask("resume", advised.object["project_id"], "--budget", "5")
    assert built.code == 0, built.err
    assert built.object["architecture"] == advised.object["architecture"]
    assert len(theatre.stage("advise")) == 2


def test_a_type_that_does_not_exist_is_an_error(theatre: Theatre) -> None:
    for command in ("start", "advise"):
        outcome = theatre.installation.run(command, "-p", "p", "-c", "c", "--app-type", "mainframe")
        assert outcome.code == 2
        assert "--app-type: unknown kind of software" in outcome.err
