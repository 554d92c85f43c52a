"""One project of twelve tasks: the points where something is killed, and what must hold afterwards."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.catalog import load_catalog
from orchestrator.domain.money import micro
from orchestrator.testing.installation import Outcome
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, mixed12, module_task
from orchestrator.testing.vendor_records import log_billed_micro
from tests.chaos.invariants import Harm, counted_as, require
from tests.chaos.site import Project

HTTP_OK = 200
TEST_SECONDS = 1.5

_TEST = f'''"""Tests of all modules."""

import importlib
import time

import pytest


@pytest.mark.parametrize("number", range(1, 12))
def test_module_names_its_task(number: int) -> None:
    name = f"t{{number:02d}}"
    assert getattr(importlib.import_module(name), name)() == name


def test_takes_a_while() -> None:
    began = time.monotonic()
    time.sleep({TEST_SECONDS})
    assert time.monotonic() - began >= {TEST_SECONDS}
'''


def twelve_tasks(files_per_task: int = 1) -> tuple[ScriptedTask, ...]:
    """The mixed graph: eleven modules, and their tests at the end, which take a moment to run."""
    tasks = []
    for number, shape in enumerate(mixed12()[:11], start=1):
        more = {f"data/{shape.id}/{n:02d}.txt": f"{n}\n" for n in range(1, files_per_task)}
        module = module_task(number)
        tasks.append(module.model_copy(update={"dependencies": shape.dependencies, "files": {**module.files, **more}}))
    everything = tuple(task.id for task in tasks)
    last = ScriptedTask(
        id="t12", dependencies=everything, files={"test_all.py": _TEST}, validators=("python_syntax", "pytest")
    )
    return (*tasks, last)


# Points of a run


def after_intent(project: Project) -> None:
    """A request has left, its answer has not begun."""
    project.wait_for("the fourth task's request", lambda: len(project.under_way("received", "generate")) >= 2)


def in_mid_stream(project: Project) -> None:
    """A part of an answer has arrived."""
    project.wait_for("half an answer", lambda: bool(project.under_way("streaming", "generate")))


def after_done(project: Project) -> None:
    """Answers are in the journal, and the server, which stands still, does not know it. `resume` lets it go on."""
    after_intent(project)
    server = project.installation.server_pid()
    assert server is not None
    os.kill(server, signal.SIGSTOP)

    def all_recorded() -> bool:
        answered = sum(event["event"] == "finished" and bool(event["complete"]) for event in project.events())
        recorded = sum(1 for entry in project.journal() if entry["state"] == "done")
        return bool(answered == recorded == len(project.received()))

    project.wait_for("answers in the journal", all_recorded)


def validators_run(project: Project) -> None:
    """The tests of the last task run, its score is still to come."""
    project.wait_for("the tests", lambda: project.finished("generate") == 12 and project.runs_tests())
    assert project.finished("evaluate") < 24


def in_integration(project: Project) -> None:
    """The tests run over all files together."""
    project.wait_for("integration", lambda: project.finished("evaluate") == 24 and project.runs_tests())


def in_export(project: Project) -> None:
    """The output is being written."""
    folder = project.output.parent
    project.wait_for("the export", lambda: any(name.startswith(".orch-export-") for name in os.listdir(folder)))


POINTS: dict[str, Callable[[Project], None]] = {
    "intent": after_intent,
    "stream": in_mid_stream,
    "done": after_done,
    "validators": validators_run,
    "integration": in_integration,
    "export": in_export,
}
_CALLS_FOLLOW = ("intent", "stream", "done", "validators")


def script_for(point: str) -> ProjectScript:
    """Twelve tasks at 200 ms per call; slow streams or many files where the point needs them."""
    slow = {"chunks": 4, "chunk_delay_ms": 150.0} if point == "stream" else {}
    return ProjectScript.model_validate(
        {"tasks": twelve_tasks(files_per_task=45 if point == "export" else 1), "latency_ms": 200.0, **slow}
    )


# What must hold afterwards


def verify(project: Project, outcome: Outcome, victim: str, point: str) -> None:
    """The run ended well, and every request that the vendors counted is accounted for."""
    assert outcome.code == 0, outcome.err[-3000:]
    result = outcome.object
    assert result["status"] == "SUCCESS", outcome.out
    with counted_as(Harm.LOST):
        _verify_output(project, result)
    with counted_as(Harm.BOOKS):
        _verify_money(project, result)
    with counted_as(Harm.REPEATED):
        _verify_requests(project, result)
    if victim == "command":
        assert result["uncertain_usd"] == 0
    elif point in _CALLS_FOLLOW:
        later = [event["started_s"] for event in project.received() if event["started_s"] > project.killed_s]
        assert later, "no call after the kill"
        installation = project.installation
        assert min(later) - installation.restarted_s(victim) <= installation.next_call_s
    project.held = True


def verify_any_moment(project: Project, outcome: Outcome) -> dict[str, Any]:
    """The same for a kill at a moment that nobody chose; the result."""
    result = outcome.object
    require(outcome.code == 0 and result["status"] == "SUCCESS", Harm.WRONG_STATUS, f"{outcome.out} {outcome.err}")
    lost = [task["id"] for task in result["tasks"] if task["status"] != "COMPLETED"]
    require(not lost, Harm.LOST, f"not completed: {lost}")
    with counted_as(Harm.BOOKS):
        _verify_money(project, result)
    with counted_as(Harm.REPEATED):
        _verify_requests(project, result)
    booked, most = micro(result["spent_usd"]) + micro(result["uncertain_usd"]), micro(result["max_usd"])
    billed = log_billed_micro(project.events(), load_catalog(project.installation.settings))
    require(max(booked, billed) <= most, Harm.OVER_CAP, f"booked {booked}, billed {billed} of {most}")
    project.held = True
    return result


def _verify_output(project: Project, result: dict[str, Any]) -> None:
    assert [task["status"] for task in result["tasks"]] == ["COMPLETED"] * 12
    expected = [path for task in result["tasks"] for path in task["files"]]
    assert all((project.output / path).is_file() for path in expected)
    leftovers = [name for name in os.listdir(project.output.parent) if name.startswith(".orch-export-")]
    assert leftovers == []


def _verify_money(project: Project, result: dict[str, Any]) -> None:
    summary = json.loads((project.output / "summary.json").read_text(encoding="utf-8"))
    spent, uncertain = micro(result["spent_usd"]), micro(result["uncertain_usd"])
    assert sum(micro(amount) for amount in summary["stages_usd"].values()) == spent
    assert sum(micro(model["spent_usd"]) for model in summary["models"]) == spent
    assert sum(micro(model["uncertain_usd"]) for model in summary["models"]) == uncertain
    billed = log_billed_micro(project.events(), load_catalog(project.installation.settings))
    assert spent + uncertain >= billed
    if uncertain == 0:
        assert spent == billed


def _verify_requests(project: Project, result: dict[str, Any]) -> None:
    each_asked_once(project.events(), project.journal(), micro(result["uncertain_usd"]))


def each_asked_once(events: Sequence[dict[str, Any]], entries: Sequence[dict[str, Any]], uncertain_micro: int) -> None:
    """Each journal entry stands for one request at most, and only one of unknown fate was asked again."""
    lost = [entry for entry in entries if entry["state"] == "intent"]
    refused = {
        event["seq"] for event in events if event["event"] == "finished" and event["status"] not in (None, HTTP_OK)
    }
    requests = [event for event in events if event["event"] == "received" and event["seq"] not in refused]
    assert len(requests) <= len(entries), "more requests than calls in the journal: something was asked again"
    repeated = sum(count - 1 for count in Counter(event["digest"] for event in requests).values())
    assert repeated <= len(lost), "a call whose answer was recorded was asked again"
    assert (uncertain_micro > 0) == bool(lost)
    last_asks = _last_asks(entries)
    for entry in entries:
        slot, _, ask = entry["key"].rpartition("/")
        if entry["state"] == "intent":
            assert int(ask) < last_asks[slot], f"{entry['key']} was never asked again"
        elif entry["state"] == "done":
            assert int(ask) == last_asks[slot], f"{entry['key']} was answered and asked again"


def _last_asks(entries: Sequence[dict[str, Any]]) -> dict[str, int]:
    last: dict[str, int] = {}
    for entry in entries:
        slot, _, ask = entry["key"].rpartition("/")
        last[slot] = max(last.get(slot, 0), int(ask))
    return last


def resume_server(project: Project) -> None:
    """Let a server that stands still go on, if it still lives."""
    server = project.installation.server_pid()
    if server is not None:
        os.kill(server, signal.SIGCONT)
