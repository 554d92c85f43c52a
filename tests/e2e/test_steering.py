"""A live run is steered: through our command line, and with signals through Temporal's own."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.client.binary import find_temporal
from orchestrator.domain.money import micro
from orchestrator.testing.installation import Command
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, chain, mixed12, task_of, wide
from tests.e2e.theatre import Theatre, project_id

STOPS_WITHIN_S = 1.0
QUIET_S = 2.0


def signal_by_temporal(theatre: Theatre, run: str, name: str) -> None:
    """`temporal workflow signal`, without any input, as people type it."""
    binary = find_temporal(theatre.installation.settings, lambda line: None)
    installation = theatre.installation
    where = ["--address", installation.temporal_address(), "--namespace", installation.namespace]
    where += ["--workflow-id", f"project-{run}"]
    subprocess.run([str(binary), "workflow", "signal", *where, "--name", name], check=True, capture_output=True)


def signal_by_us(theatre: Theatre, run: str, name: str) -> None:
    outcome = theatre.installation.run(name, run, "--json")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("signal", [signal_by_temporal, signal_by_us], ids=["temporal", "orch-cli"])
def test_pause_and_resume(theatre: Theatre, signal: Callable[[Theatre, str, str], None]) -> None:
    theatre.play(ProjectScript(tasks=mixed12(), latency_ms=250).reply)
    command = theatre.begin("--concurrency", "12")
    run = project_id(command)
    theatre.wait_for(lambda: len(theatre.stage("critique")) >= 2)
    signal(theatre, run, "pause")
    paused_s = time.time()
    theatre.wait_for(lambda: all(record.ended_s for record in theatre.requests))
    asked = len(theatre.requests)
    with pytest.raises(TimeoutError):
        theatre.wait_for(lambda: len(theatre.requests) > asked, QUIET_S)
    assert max(record.started_s for record in theatre.requests) <= paused_s + STOPS_WITHIN_S
    assert all(record.complete for record in theatre.requests), "what was in flight was broken off"
    status = theatre.installation.run("status", run, "--json").object
    assert status["status"] == "PAUSED"
    signal(theatre, run, "resume")
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    assert outcome.object["uncertain_usd"] == 0
    assert micro(outcome.object["spent_usd"]) == theatre.billed_micro()


def test_cancel_keeps_what_was_done(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(12), latency_ms=300).reply)
    command = theatre.begin()
    run = project_id(command)
    theatre.wait_for(lambda: len(theatre.stage("generate")) >= 2)
    assert theatre.installation.run("cancel", run).code == 0
    outcome = command.wait()
    assert outcome.code == 8, outcome.err
    result = outcome.object
    assert result["status"] == "CANCELLED"
    assert result["tasks"][0]["status"] == "COMPLETED"
    assert (Path(result["output_dir"]) / "t01.txt").is_file()
    assert micro(result["spent_usd"]) + micro(result["uncertain_usd"]) >= theatre.billed_micro()
    assert len(theatre.stage("generate")) < 12


SLOW = ScriptedTask(id="slow", files={"slow.txt": "slow\n"}, slowness=20.0)
GUIDANCE = "Rhyme every second line with walrus."


def under_way(theatre: Theatre, script: ProjectScript, *options: str) -> tuple[Command, str]:
    """A run whose first tasks are being written."""
    theatre.play(script.reply)
    command = theatre.begin("--new-project", *options)
    run = project_id(command)
    theatre.wait_for(lambda: bool(theatre.stage("generate")))
    return command, run


def accepted(theatre: Theatre, *arguments: str) -> str:
    outcome = theatre.ask(*arguments)
    assert outcome.code == 0, outcome.err
    return str(outcome.object["result"])


def statuses(theatre: Theatre, run: str) -> dict[str, str]:
    return {task["id"]: task["status"] for task in theatre.ask("status", run).object["tasks"]}


def test_a_skipped_task_comes_back_with_a_retry(theatre: Theatre) -> None:
    t01, t02, t03 = chain(3)
    tasks = (SLOW, t01, t02.model_copy(update={"slowness": 10.0}), t03)
    command, run = under_way(theatre, ProjectScript(tasks=tasks, latency_ms=300))
    accepted(theatre, "skip", run, "t02")
    skipped = statuses(theatre, run)
    assert (skipped["t02"], skipped["t03"]) == ("SKIPPED", "SKIPPED")
    accepted(theatre, "retry", run, "t02")
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    assert list(dict.fromkeys(theatre.generated())) == ["slow", "t01", "t02", "t03"]  # t02 may have begun before


@pytest.mark.long
def test_another_model_is_asked_from_the_next_call_on(theatre: Theatre) -> None:
    command, run = under_way(theatre, ProjectScript(tasks=chain(3), latency_ms=600))
    accepted(theatre, "override-model", run, "t03", "claude-haiku-5-5", "--stage", "generate")
    assert command.wait().code == 0, command.err
    models = {task_of(record.request): record.request.model for record in theatre.stage("generate")}
    assert models["t03"] == "claude-haiku-5-5" != models["t02"]


@pytest.mark.long
def test_guidance_is_in_every_later_prompt_of_its_task(theatre: Theatre) -> None:
    command, run = under_way(theatre, ProjectScript(tasks=chain(8), latency_ms=300))
    accepted(theatre, "guide", run, GUIDANCE, "--task", "t07")
    accepted(theatre, "guide", run, "Mind the gap.")
    assert command.wait().code == 0, command.err
    told = {task_of(record.request) for record in theatre.requests if GUIDANCE in record.request.prompt}
    assert told == {"t07"}
    minded = [
        task_of(record.request) for record in theatre.stage("generate") if "Mind the gap." in record.request.prompt
    ]
    assert {"t07", "t08"} <= set(minded)


@pytest.mark.long
def test_more_tasks_at_a_time(theatre: Theatre) -> None:
    command, run = under_way(theatre, ProjectScript(tasks=wide(8), latency_ms=300), "--concurrency", "1")
    assert len({task_of(record.request) for record in theatre.requests if not record.ended_s}) <= 1
    accepted(theatre, "concurrency", run, "6")
    theatre.wait_for(lambda: len({task_of(record.request) for record in theatre.requests if not record.ended_s}) >= 3)
    assert command.wait().code == 0, command.err


@pytest.mark.long
def test_a_new_time_limit_ends_a_run(theatre: Theatre) -> None:
    command, run = under_way(theatre, ProjectScript(tasks=chain(40), latency_ms=300))
    passed_s = theatre.ask("budget", run).object["elapsed_s"]
    accepted(theatre, "time-limit", run, f"{passed_s + 5:.0f}s")
    outcome = command.wait()
    assert (outcome.code, outcome.object["status"]) == (6, "TIMEOUT"), outcome.err


def test_what_makes_no_sense_is_refused_and_leaves_no_trace(theatre: Theatre) -> None:
    command, run = under_way(theatre, ProjectScript(tasks=chain(6), latency_ms=200))
    theatre.wait_for(lambda: len(theatre.stage("generate")) >= 3)  # more than a second of active time
    assert theatre.ask("pause", run).code == 0
    theatre.wait_for(lambda: all(record.ended_s for record in theatre.requests))
    before = theatre.installation.run("events", run, "--json").out
    for request in (
        ("budget", run, "--max-usd", "0.000001"),
        ("time-limit", run, "1"),
        ("retry", run, "t99"),
        ("retry", run, "t06"),
        ("skip", run, "t99"),
        ("override-model", run, "t99", "claude-haiku-5-5"),
        ("guide", run, "x", "--task", "t99"),
        ("approve", run),
    ):
        outcome = theatre.installation.run(*request)
        assert outcome.code == 2, (request, outcome.err)
        assert outcome.err.splitlines()[-1].startswith("error: "), outcome.err
        assert "Traceback" not in outcome.err
    assert theatre.installation.run("events", run, "--json").out == before
    assert theatre.ask("cancel", run).code == 0
    assert command.wait().code == 8


def test_the_event_log_is_whole_and_names_who_asked(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(3), latency_ms=600).reply)
    command = theatre.begin("--new-project")
    run = project_id(command)
    follower = theatre.command("events", run, "--follow", "--json")
    theatre.wait_for(lambda: bool(theatre.stage("generate")))
    signal_by_us(theatre, run, "pause")
    signal_by_us(theatre, run, "resume")
    assert command.wait().code == 0, command.err
    followed = [json.loads(line) for line in follower.wait().out.splitlines()]
    later = [json.loads(line) for line in theatre.installation.run("events", run, "--json").out.splitlines()]
    assert followed == later
    assert [event["seq"] for event in later] == list(range(1, len(later) + 1))
    asked = {event["kind"]: event["by"] for event in later if event["by"]}
    assert {"paused", "resumed"} <= set(asked)
    assert all("@" in by for by in asked.values())
    assert "SUCCESS" in later[-1]["text"]
    lines = theatre.installation.run("events", run).out.splitlines()
    assert len(lines) == len(later)
    assert later[-1]["text"] in command.err, "progress ends before the last event"
