"""The budget of a run and its events, as a reader and as a program see them."""

import json
import re

import pytest

from cli.budgeting import budget_block, budget_object
from cli.eventlog import EventLog, event_line
from orchestrator.contracts.project import BudgetView
from orchestrator.domain.phases import BudgetPhase, phase_spends
from tests.cli.views import ESCAPES, event

BUDGET = BudgetView(
    max_micro=2_000_000,
    spent_micro=1_200_000,
    uncertain_micro=50_000,
    reserved_micro=150_000,
    waiting=3,
    phases=phase_spends({BudgetPhase.GENERATION: 990_000, BudgetPhase.REVIEW: 210_000}, 2_000_000),
    time_limit_s=5_400.0,
    elapsed_s=185.0,
)


def test_the_table_says_what_is_left_and_which_phase_took_it() -> None:
    text = budget_block("p-1", BUDGET)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "p-1"
    for line in ("budget $2.00", "spent $1.20", "left $0.60", "time 3 min 05 s of 1 h 30 min"):
        assert line in lines
    assert "generation $0.99 $0.90 110 %" in lines
    assert "planning $0.00 $0.10 0 %" in lines
    assert any(line.startswith("waiting 3 calls") for line in lines)


def test_the_object_has_stable_keys_and_exact_numbers() -> None:
    value = json.loads(json.dumps(budget_object("p-1", BUDGET)))
    phases = value.pop("phases")
    assert value == {
        "project_id": "p-1",
        "max_usd": 2.0,
        "spent_usd": 1.2,
        "uncertain_usd": 0.05,
        "reserved_usd": 0.15,
        "left_usd": 0.6,
        "waiting": 3,
        "time_limit_s": 5400.0,
        "elapsed_s": 185.0,
    }
    assert phases[1] == {"phase": "generation", "soft_cap_usd": 0.9, "spent_usd": 0.99}


def test_nothing_is_left_where_more_is_committed_than_there_is() -> None:
    assert budget_object("p-1", BUDGET.model_copy(update={"max_micro": 1_000_000}))["left_usd"] == 0


def test_an_event_is_one_line_that_names_who_asked_for_it() -> None:
    line = event_line(event(7, "the budget is $5.00", kind="budget_set", task="", by="ann@laptop"))
    assert re.fullmatch(r" +7  \S+ \S+  budget_set +the budget is \$5\.00 \(by ann@laptop\)", line)


def test_events_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = event(1, ESCAPES, kind=ESCAPES, task=ESCAPES, by=ESCAPES)
    EventLog(json_output=False).event(hostile)
    EventLog(json_output=True).event(hostile)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["text"] == ESCAPES
    for line in lines:
        assert "evil" in line
        assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(line)
